"""Run the look that a message of the look queue asks for: one pass for all doubts of a place that are due.

The plan in Redis decides, and not the message. A message that comes too early is sent again, and one that another look
has overtaken is dropped. A lease keeps the looks of a place apart.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Protocol

from paydispatch.domain.limits import QUEUE_DELAY_LIMIT_S
from paydispatch.domain.looks.doubts import (
    FIRST_LOOK_S,
    LOST_AFTER_S,
    MOST_DOUBTS,
    TAKEN_AT,
    TOO_FULL_DISTANCE_S,
    UNKNOWN_FOR_LONG_S,
    Doubt,
    Place,
    next_distance_s,
)
from paydispatch.domain.looks.messages import LookMessage
from paydispatch.services.looks.note_doubt import NotePorts
from paydispatch.services.looks.position import Position
from paydispatch.services.looks.run_pass import Asked, Pass, PassPorts
from paydispatch.services.looks.verdicts import Reconciled, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.ports import Doubts
    from paydispatch.services.looks.run_pass import PassResult

LEASE_S = 120.0
"""The lease is kept after every page, and a page takes seconds. A look that died is replaced after this time."""

EARLY_S = 1.0
"""A message that is this much too early counts as on time, because clocks differ and SQS rounds."""

MOST_PLACES = 1_000
"""Places that the sweep checks."""


class LookPorts(PassPorts, NotePorts, Protocol):
    """The ports of a look."""


class EventAsker(Protocol):
    async def ask(self, reconciled: Sequence[Reconciled]) -> None: ...


class Looks:
    """The looks of the look queue, and the sweep that finds lost ones."""

    def __init__(self, ports: LookPorts, events: EventAsker | None = None) -> None:
        """`events` asks for the events of the requests that no list proves. None: nobody asks."""
        self._ports = ports
        self._events = events

    async def look(self, message: LookMessage, *, until: float) -> None:
        """Look for all doubts of the message's place that are due, and plan the next look. Raises `Unavailable`."""
        place = Place(message.account, message.object)
        state, now_s = await self._ports.doubts.state(place), self._ports.clock.now_s()
        if state.next_at is None or message.looks != state.looks:
            return  # it is out of date
        if now_s < state.next_at - EARLY_S:
            await self._send(place, message.looks, state.next_at)
            return
        await self._look_at(place, until)

    async def plan_lost(self) -> int:
        """Send a look message for each place whose planned look did not come. Return how many were lost."""
        lost = 0
        for place in await self._ports.doubts.places(at_most=MOST_PLACES):
            state, now_s = await self._ports.doubts.state(place), self._ports.clock.now_s()
            if state.doubts and (state.next_at or 0.0) < now_s - LOST_AFTER_S:
                await self._send(place, state.looks, now_s)
                lost += 1
        if lost:
            self._ports.log.count("LookLost", lost)
        return lost

    async def _look_at(self, place: Place, until: float) -> None:
        doubts, token = self._ports.doubts, secrets.token_hex(8)
        if not await doubts.lease(place, token, LEASE_S):
            return  # the other look plans the next one
        state = await doubts.state(place)
        keeper = _LeaseKeeper(doubts, place, token, state.cursor)
        due = await self._take(place, keeper)
        looked_at = self._ports.clock.now_s()
        asked = [Asked(one.worker, one.request_id, one.seen_until) for one in due]
        result = await Pass(self._ports, keeper, until=until).run(asked)
        if keeper.lost:
            return
        if self._events is not None and not self._is_over(until):
            await self._events.ask(result.reconciled)
        await self._keep(place, due, result)
        self._log(place, result)
        again_s = 0.0 if result.left else FIRST_LOOK_S
        planned = await doubts.end_look(place, token, not_before=looked_at + again_s)
        if planned is not None:
            looks, at = planned
            await self._send(place, looks, at)

    def _is_over(self, until: float) -> bool:
        return self._ports.clock.now_s() >= until

    async def _take(self, place: Place, keeper: _LeaseKeeper) -> Sequence[Doubt]:
        """Take the doubts that are due. A pass that goes on has those alone that it took at its begin."""
        doubts = self._ports.doubts
        if keeper.goes_on:
            return await doubts.due(place, before=TAKEN_AT, at_most=MOST_DOUBTS)
        before = self._ports.clock.now_s() + EARLY_S
        due = await doubts.due(place, before=before, at_most=MOST_DOUBTS)
        await doubts.postpone(place, dict.fromkeys(due, TAKEN_AT))
        return due

    async def _keep(self, place: Place, due: Sequence[Doubt], result: PassResult) -> None:
        """Drop the doubts that are settled, and plan the next look of the others."""
        now_s = self._ports.clock.now_s()
        verdicts = {(one.worker_id, one.request_id): one for one in result.reconciled}
        settled: list[Doubt] = []
        later: dict[Doubt, float] = {}
        for doubt in due:
            name = doubt.worker, doubt.request_id
            verdict = verdicts.get(name)
            if verdict is None:
                continue  # the pass had no time for it, so that it stays due
            if verdict.verdict is not Verdict.UNKNOWN:
                settled.append(doubt)
                continue
            seen_until = result.seen_until.get(name, doubt.seen_until)
            seen = Doubt(doubt.worker, doubt.request_id, doubt.since, seen_until)
            too_full = name in result.too_full
            later[seen] = (
                now_s + TOO_FULL_DISTANCE_S if too_full else _next_at(doubt, verdict, now_s)
            )
        await self._ports.doubts.drop(place, settled)
        await self._ports.doubts.postpone(place, later)
        for_long = sum(now_s - doubt.since > UNKNOWN_FOR_LONG_S for doubt in later)
        if for_long:
            self._ports.log.count("UnknownForLong", for_long)

    async def _send(self, place: Place, looks: int, at: float) -> None:
        delay_s = min(max(0.0, at - self._ports.clock.now_s()), QUEUE_DELAY_LIMIT_S)
        message = LookMessage(account=place.account, object=place.object, looks=looks)
        await self._ports.look_queue.send(message, delay_s)

    def _log(self, place: Place, result: PassResult) -> None:
        log, report = self._ports.log, result.reconciled
        unknown = sum(one.verdict is Verdict.UNKNOWN for one in report)
        log.info(
            "look.done",
            account=place.account,
            object=place.object,
            looked_up=len(report),
            still_unknown=unknown,
            left=result.left,
            pages=result.pages,
        )
        log.count("LookPages", result.pages)
        if unknown:
            log.count("LookStillUnknown", unknown)
        if len(report) > unknown:
            log.count("LookSettled", len(report) - unknown)


def _next_at(doubt: Doubt, verdict: Reconciled, now_s: float) -> float:
    """Return the time of the doubt's next look: at a growing distance, or when its absence becomes proof."""
    at = now_s + next_distance_s(now_s - doubt.since)
    return at if verdict.until is None or verdict.until <= now_s else min(at, verdict.until)


class _LeaseKeeper:
    """Keeps a pass's position in the state of its place, and the lease with it."""

    def __init__(
        self, doubts: Doubts, place: Place, token: str, cursor: dict[str, Any] | None
    ) -> None:
        self._doubts = doubts
        self._place = place
        self._token = token
        self._position = Position.from_json(cursor) if cursor else None
        self.lost = False
        """Whether another look has taken the lease."""

    @property
    def goes_on(self) -> bool:
        """Whether an earlier invocation began the pass."""
        return self._position is not None

    def resume(self, name: str) -> Position | None:
        found = self._position
        return found if found is not None and found.name == name else None

    async def keep(self, position: Position | None) -> bool:
        cursor = {} if position is None else position.as_json()
        held = await self._doubts.lease(self._place, self._token, LEASE_S, cursor)
        self.lost = self.lost or not held
        return held
