"""The twin's control API below `/_twin/`, without authentication. `objects` needs the key of an account.

GET    /_twin/health         → {"ok": true}
POST   /_twin/faults         add a rule → {"id"}
GET    /_twin/faults         list the rules
DELETE /_twin/faults[/ID]    remove all rules, or one
PUT    /_twin/latency        {"latency_ms": 500 | {"p50": 300, "p99": 2000}}, also GET
PUT    /_twin/rate-limits    {"live": 100, "sandbox": 25, "operation": 25,
                              "account_concurrency": null, "operation_concurrency": null}, also GET. Null: no limit
GET    /_twin/rate-counts[?account=]  → {"counts": [{"account", "mode", "operation", "calls", "admitted",
                              "refused": {REASON: N}, "highest_second", "admitted_in": {SECOND: N}, …}]}
DELETE /_twin/rate-counts    begin to count anew
POST   /_twin/clock          {"advance_s": 90000}, also GET
GET    /_twin/ledger?object=&after=&limit=   → {"effects": […], "attempts": N}
GET    /_twin/attempts?after=&limit=         → {"attempts": […]}
POST   /_twin/objects        {"object": "dispute", "amount": 500, …} puts an object there → the object
POST   /_twin/webhooks       {"url", "secret", "account": null, "livemode": null, "types": ["invoice.*"]} → {"id"}
GET    /_twin/webhooks       → {"webhooks": […], "deliveries": {"delivered", "retried", "given_up", "dropped",
                              "waiting"}}
DELETE /_twin/webhooks[/ID]  remove all webhooks, or one
PUT    /_twin/event-faults   {"late": 0.1, "lost": 0.05, …}, also GET, with counts (twin/events/delivery_faults.py)
GET    /_twin/events?after=&limit=           → {"events": […]} of all accounts, oldest first
POST   /_twin/reset          delete the objects, events, idempotency keys, ledger, counts and rules
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from paydispatch.twin.accounts import authenticate
from paydispatch.twin.events.delivery_faults import DeliveryShares
from paydispatch.twin.faults import Latency, RuleError
from paydispatch.twin.objects.shapes import known_schema
from paydispatch.twin.rate_limits import Rates
from paydispatch.twin.serving.control_calls import (
    ControlError,
    json_answer,
    read_body,
    read_window,
)
from paydispatch.twin.serving.control_events import EventControl
from paydispatch.twin.wire.calls import Answer
from paydispatch.twin.wire.errors import StripeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paydispatch.twin.twin import StripeTwin
    from paydispatch.twin.wire.calls import Call

PREFIX = "/_twin/"


class Control:
    def __init__(self, twin: StripeTwin) -> None:
        self._twin = twin
        self._events = EventControl(twin)
        self._routes: Mapping[str, Callable[[Call], Answer]] = {
            "GET health": lambda _call: json_answer({"ok": True}),
            "GET faults": self._list_faults,
            "POST faults": self._add_fault,
            "DELETE faults": self._clear_faults,
            "GET latency": self._show_latency,
            "PUT latency": self._set_latency,
            "GET rate-limits": self._show_rates,
            "PUT rate-limits": self._set_rates,
            "GET rate-counts": self._show_counts,
            "DELETE rate-counts": self._clear_counts,
            "GET clock": self._show_clock,
            "POST clock": self._advance_clock,
            "GET ledger": self._ledger,
            "GET attempts": self._attempts,
            "POST objects": self._put_object,
            "POST reset": self._reset,
            **self._events.routes,
        }

    def answer(self, call: Call) -> Answer:
        name = call.path.removeprefix(PREFIX).strip("/")
        if call.method == "DELETE" and name.startswith("faults/"):
            return self._remove_fault(name.removeprefix("faults/"))
        if call.method == "DELETE" and name.startswith("webhooks/"):
            return self._events.remove_webhook(name.removeprefix("webhooks/"))
        route = self._routes.get(f"{call.method} {name}")
        if route is None:
            return json_answer(
                {"error": f"Unknown endpoint. The endpoints are: {', '.join(self._routes)}."},
                status=404,
            )
        try:
            return route(call)
        except (RuleError, ControlError, StripeError) as error:
            return json_answer({"error": str(error)}, status=400)

    def _list_faults(self, _call: Call) -> Answer:
        return json_answer({"faults": [rule.as_json() for rule in self._twin.faults.rules()]})

    def _add_fault(self, call: Call) -> Answer:
        return json_answer({"id": self._twin.faults.add(read_body(call)).id})

    def _clear_faults(self, _call: Call) -> Answer:
        self._twin.faults.clear()
        return json_answer({"ok": True})

    def _remove_fault(self, rule_id: str) -> Answer:
        removed = self._twin.faults.remove(rule_id)
        return json_answer({"ok": removed}, status=200 if removed else 404)

    def _show_latency(self, _call: Call) -> Answer:
        return json_answer({"latency_ms": self._twin.faults.latency.as_json()})

    def _set_latency(self, call: Call) -> Answer:
        self._twin.faults.latency = Latency.parse(read_body(call).get("latency_ms"))
        return self._show_latency(call)

    def _show_rates(self, _call: Call) -> Answer:
        return json_answer(asdict(self._twin.limits.rates))

    def _set_rates(self, call: Call) -> Answer:
        limits = self._twin.limits
        limits.change(_rates(read_body(call), limits.rates), self._twin.clock.now())
        return self._show_rates(call)

    def _show_counts(self, call: Call) -> Answer:
        account = parse_qs(call.query).get("account", [None])[0]
        return json_answer({"counts": self._twin.limits.counts.as_json(account=account)})

    def _clear_counts(self, _call: Call) -> Answer:
        self._twin.limits.counts.clear()
        return json_answer({"ok": True})

    def _show_clock(self, _call: Call) -> Answer:
        clock = self._twin.clock
        return json_answer({"now": clock.now(), "offset_s": clock.offset_s})

    def _advance_clock(self, call: Call) -> Answer:
        advance_s = read_body(call).get("advance_s")
        if isinstance(advance_s, bool) or not isinstance(advance_s, int | float) or advance_s < 0:
            raise ControlError("advance_s must be a number of seconds, and not negative.")
        self._twin.clock.advance(advance_s)
        return self._show_clock(call)

    def _ledger(self, call: Call) -> Answer:
        kind = parse_qs(call.query).get("object", [None])[0]
        after, limit = read_window(call)
        return Answer(200, self._twin.ledger.effects(kind=kind, after=after, limit=limit))

    def _attempts(self, call: Call) -> Answer:
        after, limit = read_window(call)
        return Answer(200, self._twin.ledger.attempts(after=after, limit=limit))

    def _put_object(self, call: Call) -> Answer:
        """Put an object there that no call of an account makes, such as a dispute of a charge."""
        fields = read_body(call)
        kind = fields.pop("object", None)
        if not isinstance(kind, str) or known_schema(kind) is None:
            raise ControlError('object must be the kind of an object, such as "dispute".')
        return json_answer(self._twin.put(authenticate(call.headers), kind, fields))

    def _reset(self, _call: Call) -> Answer:
        self._twin.forget()
        self._twin.faults.clear()
        self._twin.webhooks.faults.shares = DeliveryShares()
        return json_answer({"ok": True})


def _rates(wanted: dict[str, Any], now: Rates) -> Rates:
    rates = {**asdict(now), **wanted}
    if rates.keys() != asdict(now).keys():
        raise ControlError(f"The rate limits are {', '.join(asdict(now))}.")
    for name, rate in rates.items():
        is_count = name.endswith("_concurrency")
        if rate is not None and (isinstance(rate, bool) or not _is_limit(rate, whole=is_count)):
            raise ControlError(
                f"{name} must be a positive {'whole ' if is_count else ''}number, or null for no limit."
            )
    return Rates(**rates)


def _is_limit(value: Any, *, whole: bool) -> bool:
    return isinstance(value, int if whole else int | float) and value > 0
