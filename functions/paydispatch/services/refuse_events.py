"""Events of another kind than a function takes: one log line and one error say what came and what is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import UnexpectedEvent
from paydispatch.domain.redaction import redact

if TYPE_CHECKING:
    from paydispatch.ports import EventLog

MOST_NAMES_SHOWN = 5


def refuse_event(event: object, *, takes: str, log: EventLog) -> UnexpectedEvent:
    """Log the refusal, and return the error to raise or to answer with."""
    came = describe_event(event)
    log.warning("event.refused", came=came, takes=takes)
    return UnexpectedEvent(f"This function takes {takes}. What came is {came}.")


def describe_event(event: object) -> str:
    """Say which service sends events of this form. Shows names of fields and no values: they may hold a key."""
    if not isinstance(event, Mapping):
        return f"no event but a {type(event).__name__}"
    context = event.get("requestContext")
    if isinstance(context, Mapping):
        return _of_http(event, context)
    if isinstance(event.get("Records"), list):
        return f"records of {_source(event['Records'])}"
    if "detail-type" in event:
        return "an event of EventBridge"
    if "key1" in event:
        return "a test event of the Lambda console"
    return _unknown(event)


def queue_messages(event: object) -> list[Mapping[str, Any]] | None:
    """The messages of an SQS event. `None` for an event of another kind."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not all(map(_is_message, records)):
        return None
    return records


def is_schedule(event: object) -> bool:
    """A rule of EventBridge, or an operator who invokes the function without a payload."""
    return isinstance(event, Mapping) and (not event or "detail-type" in event)


def _is_message(record: object) -> bool:
    return isinstance(record, Mapping) and "messageId" in record and "body" in record


def _of_http(event: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    if "elb" in context:
        return "an event of an Application Load Balancer"
    if "connectionId" in context:
        return "an event of a WebSocket API"
    if "httpMethod" in event:
        return "an event of a REST API, or of an HTTP API with payload format 1.0"
    return _unknown(event) if "http" not in context else "an event of an HTTP API"


def _source(records: list[Any]) -> str:
    """SNS alone writes the name with a capital."""
    first = records[0] if records and isinstance(records[0], Mapping) else {}
    named = {str(name).lower(): value for name, value in first.items()}
    return redact(str(named.get("eventsource", "an unknown source")))


def _unknown(event: Mapping[str, Any]) -> str:
    names = ", ".join(redact(str(name))[:32] for name in list(event)[:MOST_NAMES_SHOWN])
    return f"an unknown event with the fields {names}" if names else "an empty event"
