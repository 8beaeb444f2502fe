"""Read a queue message: return its envelope, or the fault that makes it unreadable.

`envelope.v2.json` beside this file is the published schema. Every message is checked against it, also one that
paydispatch wrote, because any program with access to the queue can write a message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paydispatch.domain.credentials import Binding
from paydispatch.domain.envelope import VERSION, Envelope
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.identity.request_ids import request_id_for_message, request_id_for_unread
from paydispatch.domain.limits import DEFAULT_DEADLINE_S
from paydispatch.domain.parameters.card_data import faults_of_card_data, hide_card_data
from paydispatch.domain.parameters.json_values import (
    fault_of_depth,
    fault_of_numbers,
    place_of_secret,
)
from paydispatch.domain.parameters.unchecked import FIELD as UNCHECKED
from paydispatch.domain.progress import Progress
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.resources import create_of
from paydispatch.domain.text.json_text import read_json
from paydispatch.domain.text.redaction import holds_key, redact_json
from paydispatch.domain.trace_context import read_traceparent

if TYPE_CHECKING:
    from collections.abc import Mapping

    import jsonschema_rs

    from paydispatch.domain.errors import ParamError

UNREADABLE = "unreadable"
"""Takes the place of a principal that breaks the schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The readable part of an unreadable message: enough to publish its error to its worker."""

    request_id: str
    """Derived from the id that the message names and from its bytes (`identity.request_id_for_unread`)."""
    object: str
    worker_id: str
    context_id: str
    params: Mapping[str, Any]
    operation: str
    """The create of the object, if the message names no operation that can be read."""
    path: Mapping[str, str] = field(default_factory=dict)
    principal: str = QUEUE
    sealed_secret: str | None = None
    traceparent: str | None = None

    @property
    def binding(self) -> Binding:
        return Binding(self.principal, self.worker_id, self.context_id)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that is not an envelope. Without an address its worker is not known."""

    code: str
    message: str
    param: str | None
    address: Address | None


def read_message(body: str, *, message_id: str, sent_at: float) -> Envelope | Malformed:
    """Read one queue message. `sent_at` (unix seconds) takes the place of a missing `accepted_at`."""
    try:
        fields = read_json(body)
    except ValueError:
        return Malformed("message_not_json", "The queue message is not JSON.", None, None)
    if not isinstance(fields, dict):
        return Malformed(
            "message_not_an_object", "The queue message is not a JSON object.", None, None
        )
    complaint = _complaint(fields)
    if complaint:
        return Malformed(*complaint, _address(fields, body, message_id))
    return _envelope(fields, message_id, sent_at)


def _envelope(fields: Mapping[str, Any], message_id: str, sent_at: float) -> Envelope:
    accepted_at = float(fields.get("accepted_at") or sent_at)
    first_sent_at = fields.get("first_sent_at")
    progress = Progress(
        deadline_at=float(fields.get("deadline_at") or accepted_at + DEFAULT_DEADLINE_S),
        attempt=int(fields.get("attempt", 1)),
        maybe_executed=fields.get("maybe_executed", False),
        # A POST that the message reports was made before the message was sent, so a later time is wrong.
        first_sent_at=None if first_sent_at is None else min(first_sent_at, sent_at),
        store_waits=int(fields.get("store_waits", 0)),
        fresh_starts=int(fields.get("fresh_starts", 0)),
    )
    newer = fields if fields["v"] > 1 else {}  # a field of version 2 means nothing in version 1
    return Envelope(
        request_id=fields.get("request_id") or request_id_for_message(message_id),
        object=fields["object"],
        operation=newer.get("operation") or "",
        path=newer.get("path") or {},
        fingerprint=newer.get("fingerprint"),
        stripe_context=newer.get("stripe_context"),
        unchecked_params=newer.get("unchecked_params") or {},
        params=fields["params"],
        worker_id=fields["worker_id"],
        context_id=fields["context_id"],
        accepted_at=accepted_at,
        progress=progress,
        sealed_secret=fields.get("sealed_secret"),
        secret_ref=fields.get("secret_ref"),
        lane=Lane(fields.get("lane", "interactive")),
        stripe_account=fields.get("stripe_account"),
        principal=fields.get("principal", QUEUE),
        traceparent=read_traceparent(fields.get("traceparent")),
    )


def _complaint(fields: Mapping[str, Any]) -> tuple[str, str, str | None] | None:
    """Return the first fault of a message as (code, sentence, field). No value is repeated: it may be a key."""
    unwritable = _fault_of_depth(fields) or _fault_of_numbers(fields)
    if unwritable is not None:
        return "message_invalid", unwritable.message, unwritable.param
    place = "stripe_secret" if "stripe_secret" in fields else place_of_secret(fields)
    if place is not None:
        return (
            "plaintext_key_refused",
            f"{place} holds a Stripe key in the clear. Send the key as sealed_secret, or its name as secret_ref.",
            place,
        )
    card_data = _fault_of_card_data(fields)
    if card_data is not None:
        return card_data.code, card_data.message, card_data.param
    try:
        error = next(_validator().iter_errors(fields), None)
    except ValueError:  # the schema engine cannot read, for instance, half a surrogate pair
        return (
            "message_invalid",
            "The queue message holds text that is not UTF-8, or is nested too deeply.",
            None,
        )
    if error is None:
        return None
    path = [str(step) for step in error.instance_path]
    field = path[0] if path else None
    where = f"its field {field!r}" if field else "the message as a whole"
    return (
        "message_invalid",
        f"The queue message breaks the envelope's schema (v{VERSION}) in {where}: rule {_rule(error)}.",
        field,
    )


def _fault_of_depth(fields: Mapping[str, Any]) -> ParamError | None:
    params, unchecked = fields.get("params"), fields.get(UNCHECKED)
    too_deep = fault_of_depth(params) if isinstance(params, dict) else None
    return too_deep or fault_of_depth({UNCHECKED: unchecked})


def _fault_of_numbers(fields: Mapping[str, Any]) -> ParamError | None:
    """Return the fault of the first number that is too large for a float: no copy of the message could be written."""
    params, unchecked = fields.get("params"), fields.get(UNCHECKED)
    endless = fault_of_numbers(params) if isinstance(params, dict) else None
    return endless or fault_of_numbers({UNCHECKED: unchecked})


def _fault_of_card_data(fields: Mapping[str, Any]) -> ParamError | None:
    """Return the fault of the first raw card data in a message. A message with card data becomes no envelope."""
    params, unchecked = fields.get("params"), {UNCHECKED: fields.get(UNCHECKED)}
    in_params = (
        faults_of_card_data(_object_name(fields), params) if isinstance(params, dict) else ()
    )
    return next(iter((*in_params, *faults_of_card_data("", unchecked))), None)


def _object_name(fields: Mapping[str, Any]) -> str:
    return str(fields.get("object", ""))


def _rule(error: jsonschema_rs.ValidationError) -> str:
    return "/".join(str(step) for step in error.schema_path)


def _address(fields: Mapping[str, Any], body: str, message_id: str) -> Address | None:
    """Return the valid fields of the address. None: the worker or the object is missing or invalid."""
    worker_id, object_name = _sound(fields, "worker_id"), _sound(fields, "object")
    if worker_id is None or object_name is None:
        return None
    named_id = _sound(fields, "request_id") or request_id_for_message(message_id)
    return Address(
        request_id=request_id_for_unread(named_id, body),
        object=object_name,
        worker_id=worker_id,
        context_id=_sound(fields, "context_id") or "unknown",
        params=_redact_params(_object_name(fields), fields.get("params")),
        operation=_newer_sound(fields, "operation") or create_of(object_name),
        path=_newer_sound(fields, "path") or {},
        principal=_principal(fields),
        sealed_secret=_sound(fields, "sealed_secret"),
        traceparent=read_traceparent(fields.get("traceparent")),
    )


def _principal(fields: Mapping[str, Any]) -> str:
    """Return the principal that an unreadable message names.

    A principal that breaks the schema is not taken for the queue's. No seal proves it, so that no flow runs for it.
    """
    if "principal" not in fields:
        return QUEUE
    return _sound(fields, "principal") or UNREADABLE


def _redact_params(object_name: str, params: Any) -> dict[str, Any]:
    """Return the parameters of an unreadable message without keys and card data, for the error flow.

    They are empty if they are nested too deeply, or hold a number that JSON cannot write.
    """
    if not isinstance(params, dict) or fault_of_depth(params) or fault_of_numbers(params):
        return {}
    shown: dict[str, Any] = redact_json(hide_card_data(object_name, params))
    return shown


def _sound(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    try:
        sound = (
            isinstance(value, str)
            and _field_validator(name).is_valid(value)
            and not holds_key(value)
        )
    except ValueError:
        return None
    return value if sound else None


def _newer_sound(fields: Mapping[str, Any], name: str) -> Any:
    """Return a field that only version 2 has, if it is valid and holds no key."""
    value = fields.get(name) if fields.get("v") == VERSION else None
    try:
        sound = _field_validator(name).is_valid(value) and place_of_secret({name: value}) is None
    except (ValueError, RecursionError):
        return None
    return value if sound else None


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(
        Path(__file__).with_name("envelope.v2.json").read_text("utf-8")
    )
    return schema


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(_schema())


@cache
def _field_validator(name: str) -> jsonschema_rs.Draft202012Validator:
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(_schema()["properties"][name])
