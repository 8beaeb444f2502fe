"""Refuse an event of a kind that a function does not accept, with a log line and an error that name both kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import UnexpectedEvent
from paydispatch.domain.text.redaction import redact

if TYPE_CHECKING:
    from paydispatch.ports import EventLog

MOST_NAMES_SHOWN = 5
"""Fields of an unknown event that are named at most, so that the log line and the error stay short."""


def refuse_event(event: object, *, takes: str, log: EventLog) -> UnexpectedEvent:
    """Log the refusal. Return the error, which the handler raises or answers with."""
    came = describe_event(event)
    log.warning("event.refused", came=came, takes=takes)
    return UnexpectedEvent(f"This function takes {takes}. It received {came}.")


def describe_event(event: object) -> str:
    """Return the name of the service that sends events of this form. No value is shown, because it may hold a key."""
    if not isinstance(event, Mapping):
        return f"a {type(event).__name__} instead of an event"
    context = event.get("requestContext")
    if isinstance(context, Mapping):
        return _describe_http(event, context)
    if isinstance(event.get("Records"), list):
        return f"records of {_find_source(event['Records'])}"
    if "detail-type" in event:
        return "an event of EventBridge"
    if "key1" in event:
        return "a test event of the Lambda console"
    return _describe_fields(event)


def queue_messages(event: object) -> list[Mapping[str, Any]] | None:
    """Return the messages of an SQS event. None: the event is of another kind."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not all(map(_is_message, records)):
        return None
    return records


def is_schedule(event: object) -> bool:
    """Return whether a rule of EventBridge sent the event, or an operator invoked the function without a payload."""
    return isinstance(event, Mapping) and (not event or "detail-type" in event)


def _is_message(record: object) -> bool:
    return isinstance(record, Mapping) and "messageId" in record and "body" in record


def _describe_http(event: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    if "elb" in context:
        return "an event of an Application Load Balancer"
    if "connectionId" in context:
        return "an event of a WebSocket API"
    if "httpMethod" in event:
        return "an event of a REST API, or of an HTTP API with payload format 1.0"
    return _describe_fields(event) if "http" not in context else "an event of an HTTP API"


def _find_source(records: list[Any]) -> str:
    """Return the service that sent the records. Its field is `eventSource`, and `EventSource` in records of SNS."""
    first = records[0] if records and isinstance(records[0], Mapping) else {}
    named = {str(name).lower(): value for name, value in first.items()}
    return redact(str(named.get("eventsource", "an unknown source")))


def _describe_fields(event: Mapping[str, Any]) -> str:
    names = ", ".join(redact(str(name))[:32] for name in list(event)[:MOST_NAMES_SHOWN])
    return f"an unknown event with the fields {names}" if names else "an empty event"
