"""The part of the control API that is about events: their webhooks, the faults on the way, and a plain list."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from paydispatch.twin.events.delivery_faults import DeliveryShares
from paydispatch.twin.serving.control_calls import json_answer, read_body, read_window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paydispatch.twin.events.event import Event
    from paydispatch.twin.twin import StripeTwin
    from paydispatch.twin.wire.calls import Answer, Call


class EventControl:
    def __init__(self, twin: StripeTwin) -> None:
        self._twin = twin
        self.routes: Mapping[str, Callable[[Call], Answer]] = {
            "GET webhooks": self._list_webhooks,
            "POST webhooks": self._add_webhook,
            "DELETE webhooks": self._clear_webhooks,
            "GET event-faults": self._show_faults,
            "PUT event-faults": self._set_faults,
            "GET events": self._list_events,
        }

    def remove_webhook(self, webhook_id: str) -> Answer:
        removed = self._twin.webhooks.remove(webhook_id)
        return json_answer({"ok": removed}, status=200 if removed else 404)

    def _list_webhooks(self, _call: Call) -> Answer:
        webhooks = self._twin.webhooks
        shown = [webhook.as_json() for webhook in webhooks.all()]
        deliveries = {**webhooks.counts, "waiting": webhooks.waiting}
        return json_answer({"webhooks": shown, "deliveries": deliveries})

    def _add_webhook(self, call: Call) -> Answer:
        return json_answer({"id": self._twin.webhooks.add(read_body(call)).id})

    def _clear_webhooks(self, _call: Call) -> Answer:
        self._twin.webhooks.clear()
        return json_answer({"ok": True})

    def _show_faults(self, _call: Call) -> Answer:
        faults = self._twin.webhooks.faults
        return json_answer({**asdict(faults.shares), "counts": faults.counts})

    def _set_faults(self, call: Call) -> Answer:
        self._twin.webhooks.faults.shares = DeliveryShares.parse(read_body(call))
        return self._show_faults(call)

    def _list_events(self, call: Call) -> Answer:
        after, limit = read_window(call)
        events = self._twin.events.all[after:][:limit]
        return json_answer({"events": [_brief(event) for event in events]})


def _brief(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "at": event.at,
        "account": event.account.id,
        "livemode": event.account.livemode,
        "idempotency_key": event.cause.idempotency_key,
        "operation": event.cause.operation,
        "delivered_at": event.delivered_at,
        "pending_webhooks": event.pending_webhooks,
    }
