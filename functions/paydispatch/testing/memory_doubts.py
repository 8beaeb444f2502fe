"""The in-memory twin of the index of doubts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.looks.doubts import LOST_AFTER_S, Doubt, LookState, Place

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.ports import Clock


@dataclass
class _Looks:
    due: dict[tuple[str, str], float] = field(default_factory=dict)
    doubts: dict[tuple[str, str], Doubt] = field(default_factory=dict)
    looks: int = 0
    next_at: float | None = None
    last_at: float | None = None
    cursor: dict[str, Any] | None = None
    lease: tuple[str, float] | None = None


class MemoryDoubts:
    """A `Doubts` for one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._places: dict[Place, _Looks] = {}
        self.away = False

    async def note(self, place: Place, doubt: Doubt, *, due_at: float) -> bool:
        self._reach()
        here, now_s = self._places.setdefault(place, _Looks()), self._clock.now_s()
        here.doubts.setdefault(_name(doubt), doubt)
        due = here.due.setdefault(_name(doubt), due_at)
        lost = here.next_at is not None and here.next_at < now_s - LOST_AFTER_S
        if here.next_at is not None and here.next_at <= due and not lost:
            return False
        here.next_at, here.looks = max(due, now_s), 0
        return True

    async def places(self, *, at_most: int) -> Sequence[Place]:
        self._reach()
        return list(self._places)[:at_most]

    async def state(self, place: Place) -> LookState:
        self._reach()
        here = self._places.get(place, _Looks())
        return LookState(here.looks, here.next_at, here.last_at, here.cursor, len(here.doubts))

    async def lease(
        self, place: Place, token: str, for_s: float, cursor: Mapping[str, Any] | None = None
    ) -> bool:
        self._reach()
        here, now_s = self._places.setdefault(place, _Looks()), self._clock.now_s()
        if here.lease is not None and here.lease[0] != token and here.lease[1] > now_s:
            return False
        here.lease = token, now_s + for_s
        if cursor is not None:
            here.cursor = dict(cursor) or None
        return True

    async def due(self, place: Place, *, before: float, at_most: int) -> Sequence[Doubt]:
        self._reach()
        here = self._places.get(place, _Looks())
        names = sorted(here.due, key=lambda name: (here.due[name], name[::-1]))
        return [here.doubts[name] for name in names if here.due[name] <= before][:at_most]

    async def postpone(self, place: Place, due_at: Mapping[Doubt, float]) -> None:
        self._reach()
        here = self._places.get(place, _Looks())
        for doubt, at in due_at.items():
            if _name(doubt) in here.due:
                here.due[_name(doubt)] = at
                here.doubts[_name(doubt)] = doubt

    async def drop(self, place: Place, doubts: Sequence[Doubt]) -> None:
        self._reach()
        here = self._places.get(place, _Looks())
        for doubt in doubts:
            here.due.pop(_name(doubt), None)
            here.doubts.pop(_name(doubt), None)

    async def end_look(
        self, place: Place, token: str, *, not_before: float
    ) -> tuple[int, float] | None:
        self._reach()
        here = self._places.get(place, _Looks())
        if here.lease is None or here.lease[0] != token:
            return None
        here.lease = None
        if not here.due:
            self._places.pop(place, None)
            return None
        here.looks, here.last_at = here.looks + 1, self._clock.now_s()
        here.next_at = max(min(here.due.values()), not_before)
        return here.looks, here.next_at

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("Redis is unavailable")


def _name(doubt: Doubt) -> tuple[str, str]:
    return doubt.worker, doubt.request_id
