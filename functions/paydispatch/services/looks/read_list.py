"""Read one list once for many requests, and settle each whose object it holds.

The newest objects come first. After each page the requests that it proves are settled, and then the position is kept.
So a pass that is cut off goes on behind the last page, and a request that a lost page would have proven is not lost.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl

from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.looks.intervals import earliest_needed, merge
from paydispatch.domain.operators.lookup_results import NO_END, Found, Inconclusive
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.services.look_turns import TurnPorts, wait_for_turn
from paydispatch.services.looks.position import Position, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from paydispatch.domain.operators.lookup_results import Page
    from paydispatch.domain.operators.lookups import Window
    from paydispatch.ports import Clock, StripeLists
    from paydispatch.services.looks.candidates import Candidate, ListKey
    from paydispatch.services.looks.open_list import ListAccess
    from paydispatch.services.looks.position import PositionKeeper

    OnFound = Callable[[Candidate, Found], Awaitable[None]]

MOST_PAGES = 20_000
"""Pages of one pass. At 10 reads per second they take half an hour. An account with more needs the proof of events."""

TOO_FULL = (
    "Its account made more than {objects:,} objects in the window, which is too many to read. Stripe's events prove "
    "single requests there."
)

_PHASES = 2


class ReadPorts(TurnPorts, Protocol):
    @property
    def lists(self) -> StripeLists: ...

    @property
    def clock(self) -> Clock: ...


@dataclass(slots=True)
class ListReading:
    """The reading of one list."""

    list_key: ListKey
    access: ListAccess
    left: dict[str, Candidate]
    """The requests that are still looked for, by request id."""
    position: Position
    keeper: PositionKeeper
    until: float | None
    """Unix seconds after which no page is read. None: there is no such time."""
    ended: bool = field(default=False, init=False)
    """Whether the whole list was read for those that are left."""
    too_full: bool = field(default=False, init=False)
    """Whether the pass ended because the list has too many pages."""


async def read_list(
    ports: ReadPorts, reading: ListReading, on_found: OnFound
) -> Inconclusive | None:
    """Read on until the list ends, no request is left or the time is up. Return why the list cannot be read.

    Raises `Unavailable`.
    """
    position = reading.position
    while reading.left and _has_step(reading):
        if reading.until is not None and ports.clock.now_s() >= reading.until:
            return None
        if position.pages >= MOST_PAGES:
            await reading.keeper.keep(None)
            reading.too_full = True
            return Inconclusive(TOO_FULL.format(objects=MOST_PAGES * 100))
        try:
            # The wait for a turn has no end of its own, because payments go first.
            async with asyncio.timeout(_time_left_s(ports, reading)):
                page = await _next_page(ports, reading)
        except TimeoutError:
            return None
        if isinstance(page, Inconclusive):
            return page
        if page is None:
            continue
        await _settle_found(reading, page, on_found)
        position.note(page, ports.clock.now_s())
        if not await reading.keeper.keep(position):
            return None
    reading.ended = True
    return None


def _time_left_s(ports: ReadPorts, reading: ListReading) -> float | None:
    return None if reading.until is None else reading.until - ports.clock.now_s()


def _has_step(reading: ListReading) -> bool:
    """Return whether a step is left. Begin the next phase after the last step of a phase."""
    position = reading.position
    while not position.steps and position.phase < _PHASES:
        queries = _queries(reading)
        intervals = merge(_windows(reading))
        position.steps = [Step(query, interval) for query in queries for interval in intervals]
        position.phase += 1
    return bool(position.steps)


def _windows(reading: ListReading, phase: int | None = None) -> Iterable[Window]:
    """Return the windows of a phase, of all requests that are left."""
    near = (reading.position.phase if phase is None else phase) == 0
    return (
        window
        for candidate in reading.left.values()
        for window in (candidate.near if near else candidate.rest)
    )


def _queries(reading: ListReading) -> tuple[str, ...]:
    listing = operation_named(reading.list_key.operation).listing
    return listing.queries if listing is not None else ()


async def _next_page(ports: ReadPorts, reading: ListReading) -> Page | Inconclusive | None:
    """Read the next page. None: no request that is left needs the step any more."""
    position, access = reading.position, reading.access
    step = position.steps[0]
    # The step belongs to the phase before the one that begins next.
    earliest = earliest_needed(step.window, _windows(reading, position.phase - 1))
    if earliest is None:
        position.end_step()
        return None
    page = await ports.lists.read_page(
        path=reading.list_key.path,
        query=_query(step, earliest, position.after),
        key=access.key,
        stripe_account=access.stripe_account,
        stripe_context=access.stripe_context,
        turn=partial(wait_for_turn, ports, access.account.rate_account, _read_name(reading)),
    )
    if isinstance(page, Inconclusive):
        return page
    says = page.has_more is False or (page.has_more is True and bool(page.objects))
    return page if says else Inconclusive(NO_END)


def _query(step: Step, earliest: int, after: str | None) -> Mapping[str, str]:
    within = {"created[gte]": str(earliest), "created[lte]": str(step.window.latest)}
    behind = {} if after is None else {"starting_after": after}
    return {**dict(parse_qsl(step.query)), **within, **behind}


def _read_name(reading: ListReading) -> str:
    return f"list_{operation_named(reading.list_key.operation).object}"


async def _settle_found(reading: ListReading, page: Page, on_found: OnFound) -> None:
    for listed in page.objects:
        candidate = reading.left.get(_mark_of(listed))
        if candidate is not None:
            await on_found(candidate, Found(listed, page.stripe_request_id))
            del reading.left[candidate.request_id]


def _mark_of(listed: Mapping[str, Any]) -> str:
    metadata = listed.get("metadata")
    mark = metadata.get(MARK) if isinstance(metadata, dict) else None
    return mark if isinstance(mark, str) else ""
