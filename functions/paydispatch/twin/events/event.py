"""One event, and its form in the pinned version of Stripe's API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.twin.wire.expansion import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.store import StripeObject


@dataclass(frozen=True, slots=True)
class Cause:
    """The API call that caused an event. Without a `request_id` the event is automatic."""

    request_id: str | None = None
    idempotency_key: str | None = None
    connected: str | None = None
    """The connected account for which a platform made the call."""

    operation: str | None = None


@dataclass(slots=True)
class Event:
    """One event. It keeps the texts of the object, which the store has too, so that an event takes little memory."""

    id: str
    type: str
    at: float
    """The Unix time in seconds."""

    account: Account
    cause: Cause
    text: bytes
    before: bytes | None = None
    """The text before the change, for the types that end in `.updated`."""

    pending_webhooks: int = 0
    delivered_at: float | None = None
    """When the first webhook took it, by the clock of the machine."""

    @property
    def created(self) -> int:
        return int(self.at)

    def as_json(self) -> dict[str, Any]:
        shown = _show(self.text)
        data: dict[str, Any] = {"object": shown}
        if self.before is not None:
            data["previous_attributes"] = previous_attributes(_show(self.before), shown)
        connected = {} if self.cause.connected is None else {"account": self.cause.connected}
        return {
            "id": self.id,
            "object": "event",
            **connected,
            "api_version": STRIPE_API_VERSION,
            "created": self.created,
            "data": data,
            "livemode": self.account.livemode,
            "pending_webhooks": self.pending_webhooks,
            "request": {
                "id": self.cause.request_id,
                "idempotency_key": self.cause.idempotency_key,
            },
            "type": self.type,
        }


def previous_attributes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that changed with their old values. Of an object inside, only its changed fields."""
    previous: dict[str, Any] = {}
    for name in [*before, *(after.keys() - before.keys())]:
        old, new = before.get(name), after.get(name)
        if old != new:
            inside = isinstance(old, dict) and isinstance(new, dict)
            previous[name] = previous_attributes(old or {}, new or {}) if inside else old
    return previous


def _show(text: bytes) -> StripeObject:
    """Return the object without the fields that Stripe shows only on request."""
    return render(json.loads(text), {}, lambda _object_id: None)
