"""List the flows on the dead streams, and run them again.

The operator's commands and the console use it. A walk goes through the dead streams in the order of workers and of
deaths, so that the flows of a context run again in the order in which they were given up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.operators.dead_flows import (
    SETTLED_SINCE,
    Moved,
    follows_failed_response,
    why_it_stays,
)
from paydispatch.domain.outcomes import Response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.operators.dead_flows import DeadFlow, DeadFlowChoice
    from paydispatch.ports import Clock, DeadStreams, Doorbell

PAGE = 200
"""The entries that are read at once. An entry has some kilobytes."""

RESPONSE_RUNS_AGAIN = "its response script runs again. Name it by its own id to run it too"


class RerunAction(StrEnum):
    """The end of an attempt to run a dead flow again."""

    LEFT = "left"
    """Nothing was to be done."""
    RERUN = "rerun"
    """It is on its worker's stream again."""
    STAYS = "stays"
    """It must not run again, for the reason in `stays`."""
    GONE = "gone"
    """Another operator ran it again or deleted it meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminedFlow:
    """A dead flow with the reason for which it must stay, and the action that was taken."""

    dead: DeadFlow
    stays: str | None
    """None: it may run again."""
    action: RerunAction = RerunAction.LEFT


@dataclass(slots=True)
class DeadFlowWalk:
    """A walk through the dead streams, and its report. A walk with the place of another one goes on after it.

    The report is complete also if the walk fails: its flows were examined or moved by then.
    """

    left: int
    """Flows that the operator still wants."""
    worker: str = ""
    """The slot of the worker at which the walk is."""
    after: str = ""
    """The last dead flow of that worker that the walk has worked on."""
    until_s: float | None = None
    """The store's time when the walk came to that worker. A flow that dies again later is left out."""
    rerun: set[str] = field(default_factory=set)
    """The requests of that worker whose response script runs again because of this walk."""
    examined: list[ExaminedFlow] = field(default_factory=list)
    may_be_more: bool = False

    def begin(self, worker: str, until_s: float) -> None:
        self.worker, self.after, self.until_s, self.rerun = worker, "", until_s, set()


Work = Callable[[ExaminedFlow], Awaitable[ExaminedFlow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadFlows:
    """The service. All methods raise `Unavailable`."""

    streams: DeadStreams
    doorbell: Doorbell
    clock: Clock

    async def examine(
        self, choice: DeadFlowChoice, walk: DeadFlowWalk, *, until: float | None = None
    ) -> None:
        """Add the chosen flows to the walk. Changes nothing. `until`: unix seconds after which none is begun."""
        await self._walk(choice, walk, _change_nothing, until)

    async def rerun(
        self, choice: DeadFlowChoice, walk: DeadFlowWalk, *, until: float | None = None
    ) -> None:
        """Move the chosen flows back to their streams, each as the last of its context, and add them to the walk.

        A flow is moved in one step, so that a walk that is cut off loses none and can be made again.
        """
        await self._walk(choice, walk, self._move, until)

    async def _walk(
        self, choice: DeadFlowChoice, walk: DeadFlowWalk, work: Work, until: float | None
    ) -> None:
        workers = [slot for slot in await self.streams.workers() if choice.takes_worker(slot)]
        for worker in workers:
            if worker < walk.worker:
                continue
            if worker != walk.worker:
                walk.begin(worker, await self.streams.time_s(worker))
            if not await self._walk_worker(choice, walk, work, until):
                walk.may_be_more = True
                return
        walk.may_be_more = False

    async def _walk_worker(
        self, choice: DeadFlowChoice, walk: DeadFlowWalk, work: Work, until: float | None
    ) -> bool:
        """Return whether the walk came to the end of the worker's dead stream. Ring its doorbell for moved flows."""
        moved_before = _moved(walk)
        try:
            while page := await self._page(walk):
                if not await self._work_on_page(page, choice, walk, work, until):
                    return False
        finally:
            if _moved(walk) > moved_before:
                await self.doorbell.ring(walk.worker)
        return True

    async def _work_on_page(
        self,
        page: Sequence[DeadFlow],
        choice: DeadFlowChoice,
        walk: DeadFlowWalk,
        work: Work,
        until: float | None,
    ) -> bool:
        """Return whether the walk may go on. It gets further by one entry at least, so that a walk in runs ends."""
        for dead in page:
            if walk.left <= 0:
                return False
            if choice.takes(dead, self.clock.now_s()):
                await self._work_on(dead, choice, walk, work)
            walk.after = dead.dead_id
            if until is not None and self.clock.now_s() >= until:
                return False
        return True

    async def _page(self, walk: DeadFlowWalk) -> Sequence[DeadFlow]:
        until_s = self.clock.now_s() if walk.until_s is None else walk.until_s
        return await self.streams.page(walk.worker, after=walk.after, until_s=until_s, at_most=PAGE)

    async def _work_on(
        self, dead: DeadFlow, choice: DeadFlowChoice, walk: DeadFlowWalk, work: Work
    ) -> None:
        stays = why_it_stays(dead, self.clock.now_s()) or _why_for_its_response(dead, choice, walk)
        done = await work(ExaminedFlow(dead=dead, stays=stays))
        if done.stays is None and dead.entry and isinstance(dead.entry.outcome, Response):
            walk.rerun.add(dead.entry.request_id)
        walk.examined.append(done)
        walk.left -= 1

    async def _move(self, examined: ExaminedFlow) -> ExaminedFlow:
        if examined.stays is not None:
            return replace(examined, action=RerunAction.STAYS)
        match await self.streams.rerun(examined.dead.worker_id, examined.dead):
            case Moved.MOVED:
                return replace(examined, action=RerunAction.RERUN)
            case Moved.GONE:
                return replace(examined, action=RerunAction.GONE)
            case Moved.SETTLED:
                return replace(examined, stays=SETTLED_SINCE, action=RerunAction.STAYS)


def _why_for_its_response(dead: DeadFlow, choice: DeadFlowChoice, walk: DeadFlowWalk) -> str | None:
    """Return why an error that says that a response script failed must stay: that script runs again."""
    named = choice.id is not None and choice.id == dead.dead_id
    entry = dead.entry
    if named or entry is None or not (dead.response_reran or entry.request_id in walk.rerun):
        return None
    return RESPONSE_RUNS_AGAIN if follows_failed_response(dead) else None


def _moved(walk: DeadFlowWalk) -> int:
    return sum(one.action is RerunAction.RERUN for one in walk.examined)


async def _change_nothing(examined: ExaminedFlow) -> ExaminedFlow:
    return examined
