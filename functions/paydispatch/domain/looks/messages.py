"""The messages of the look queue: a look that is due, and an event of Stripe that may prove an effect."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LookMessage:
    """A look for all unknown requests of one account and object is due."""

    account: str
    """`AccountBinding.rate_account`, such as `live acct_1`."""
    object: str
    looks: int = 0
    """How many looks came before it."""

    def as_json(self) -> str:
        return json.dumps(
            {
                "v": VERSION,
                "kind": "look",
                "account": self.account,
                "object": self.object,
                "looks": self.looks,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMessage:
    """Stripe reported an event that a request of ours caused. It names the request and holds no object."""

    event_id: str
    type: str
    request_id: str
    """The event's `request.idempotency_key`."""
    account: str | None
    """The connected account of the event, `acct_…`. None: the account of the event destination itself."""
    livemode: bool
    created: float
    """Unix seconds."""
    tenant: str | None = None
    """The tenant of the webhook that the event came through. None: it came through EventBridge."""
    tries: int = 0
    """How often the event came too early."""

    def as_json(self) -> str:
        return json.dumps(
            {
                "v": VERSION,
                "kind": "event",
                "event_id": self.event_id,
                "type": self.type,
                "request_id": self.request_id,
                "account": self.account,
                "livemode": self.livemode,
                "created": self.created,
                "tenant": self.tenant,
                "tries": self.tries,
            }
        )


def read_look_message(text: str) -> LookMessage | EventMessage | None:
    """Read a message of the look queue. None: it concerns no request of ours, or cannot be read.

    EventBridge puts Stripe's whole event into `detail`, so both forms are read.
    """
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    detail = fields.get("detail")
    if isinstance(detail, dict):
        return event_message(detail)
    try:
        return _read_own(fields)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def event_message(event: Mapping[str, Any], tenant: str | None = None) -> EventMessage | None:
    """Return the names in an event of Stripe. None: no request of ours caused it."""
    request = event.get("request")
    key = request.get("idempotency_key") if isinstance(request, dict) else None
    texts = (event.get("id"), event.get("type"), key)
    if not all(isinstance(one, str) and one for one in texts):
        return None
    event_id, type_, request_id = (str(one) for one in texts)
    account, created = event.get("account"), event.get("created")
    return EventMessage(
        event_id=event_id,
        type=type_,
        request_id=request_id,
        account=account if isinstance(account, str) and account.startswith("acct_") else None,
        livemode=event.get("livemode") is True,
        created=_seconds(created),
        tenant=tenant,
    )


def _seconds(created: object) -> float:
    """Return the time of an event. 0: it has none that can be read."""
    if isinstance(created, bool) or not isinstance(created, int | float):
        return 0.0
    try:
        return float(created)
    except OverflowError:  # a number of hundreds of digits
        return 0.0


def _read_own(fields: Mapping[str, Any]) -> LookMessage | EventMessage | None:
    if fields["kind"] == "look":
        return LookMessage(
            account=str(fields["account"]),
            object=str(fields["object"]),
            looks=int(fields.get("looks", 0)),
        )
    if fields["kind"] != "event":
        return None
    return EventMessage(
        event_id=str(fields["event_id"]),
        type=str(fields["type"]),
        request_id=str(fields["request_id"]),
        account=None if fields.get("account") is None else str(fields["account"]),
        livemode=bool(fields["livemode"]),
        created=float(fields["created"]),
        tenant=None if fields.get("tenant") is None else str(fields["tenant"]),
        tries=int(fields.get("tries", 0)),
    )
