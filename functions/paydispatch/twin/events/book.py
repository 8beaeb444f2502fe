"""Keeps the events of every account, and reads them: `GET /v1/events` and `GET /v1/events/{id}`."""

from __future__ import annotations

import json
from collections import defaultdict
from fnmatch import fnmatchcase
from itertools import islice
from typing import TYPE_CHECKING, Any

from paydispatch.twin.events.event import Cause, Event
from paydispatch.twin.events.types import ROWS, types_of
from paydispatch.twin.objects.collection import Collection
from paydispatch.twin.objects.lists import read_created, read_limit
from paydispatch.twin.objects.naming import Naming
from paydispatch.twin.wire.errors import invalid_request, missing_object, unknown_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.store import Stored

EVENTS = Collection("event", "/v1/events")
KEPT_FOR_S = 30 * 86_400
MOST_TYPES = 20
_FILTERS = {"type", "types", "created", "delivery_success"}
_PAGING = {"limit", "starting_after", "ending_before", "expand"}


class EventBook:
    """The events of all accounts, each in the order in which they happened."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = seed
        self._listeners: list[Callable[[Event], None]] = []
        self.forget()

    def forget(self) -> None:
        """Delete every event."""
        self._naming = Naming(None if self._seed is None else f"{self._seed} events")
        self._events: defaultdict[Account, list[Event]] = defaultdict(list)
        self._positions: dict[tuple[Account, str], int] = {}
        self.all: list[Event] = []
        """The events of all accounts."""

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Pass every new event to `listener`. Return the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def record(self, account: Account, changes: list[Stored], cause: Cause, now: float) -> None:
        """Keep the events of the changes that one call made, and pass them on."""
        for change in changes:
            if change.kind not in ROWS:
                continue
            before, after = _parse(change.before), _parse(change.after)
            for type_ in types_of(change.kind, before, after, cause.operation):
                text = change.after or change.before or b"{}"
                old = change.before if type_.endswith(".updated") else None
                event_id = f"evt_{self._naming.letters(24)}"
                self._keep(Event(event_id, type_, now, account, cause, text, old))

    def _keep(self, event: Event) -> None:
        events = self._events[event.account]
        self._positions[event.account, event.id] = len(events)
        events.append(event)
        self.all.append(event)
        for listener in self._listeners:
            listener(event)

    def retrieve(self, account: Account, event_id: str, now: float) -> bytes:
        """Return one event. Raises `StripeError` (404), also for one that is older than 30 days."""
        position = self._positions.get((account, event_id))
        event = None if position is None else self._events[account][position]
        if event is None or event.created < now - KEPT_FOR_S:
            raise missing_object("event", event_id, param="id", status=404)
        return json.dumps(event.as_json()).encode()

    def list(self, account: Account, params: Mapping[str, Any], now: float) -> bytes:
        """Return one page of the events of the last 30 days. Raises `StripeError` (400)."""
        unknown = params.keys() - _FILTERS - _PAGING
        if unknown:
            raise unknown_parameter(min(unknown))
        limit, wanted = read_limit(params), _wanted(params, now)
        found = list(islice(filter(wanted, self._iterate(account, params)), limit + 1))
        shown = [event.as_json() for event in found[:limit]]
        answer = {
            "object": "list",
            "url": EVENTS.endpoint,
            "has_more": len(found) > limit,
            "data": shown[::-1] if params.get("ending_before") else shown,
        }
        return json.dumps(answer).encode()

    def _iterate(self, account: Account, params: Mapping[str, Any]) -> Iterator[Event]:
        """Iterate from the newest event to older ones, or from that of `ending_before` to newer ones."""
        events, end = self._events[account], None
        if params.get("starting_after"):
            end = self._position(account, params, "starting_after")
        if params.get("ending_before"):
            begin = self._position(account, params, "ending_before") + 1
            return iter(events[begin:end])
        return reversed(events[:end])

    def _position(self, account: Account, params: Mapping[str, Any], name: str) -> int:
        position = self._positions.get((account, params[name]))
        if position is None:
            raise missing_object("event", params[name], param=name, status=400)
        return position


def _parse(text: bytes | None) -> dict[str, Any] | None:
    parsed: dict[str, Any] | None = None if text is None else json.loads(text)
    return parsed


def _wanted(params: Mapping[str, Any], now: float) -> Callable[[Event], bool]:
    """Return the filter of a list. Raises `StripeError` (400)."""
    earliest, latest = read_created(params.get("created", {}))
    earliest = max(earliest, int(now) - KEPT_FOR_S)
    patterns = _patterns(params)
    delivered = params.get("delivery_success")
    if delivered not in (None, "true", "false"):
        raise invalid_request("Invalid boolean", param="delivery_success")

    def wanted(event: Event) -> bool:
        return (
            earliest <= event.created <= latest
            and (not patterns or any(fnmatchcase(event.type, each) for each in patterns))
            and (delivered is None or (delivered == "true") is (event.pending_webhooks == 0))
        )

    return wanted


def _patterns(params: Mapping[str, Any]) -> tuple[str, ...]:
    one, many = params.get("type"), params.get("types")
    if isinstance(many, dict):
        many = list(many.values())
    if one is not None and many is not None:
        raise invalid_request("You may only specify one of these parameters: type, types.")
    if many is None:
        return () if one is None else (str(one),)
    if not isinstance(many, list):
        raise invalid_request("Invalid array", param="types")
    if len(many) > MOST_TYPES:
        raise invalid_request(f"Up to {MOST_TYPES} types can be given.", param="types")
    return tuple(str(each) for each in many)
