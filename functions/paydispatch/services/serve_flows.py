"""Serve flows: keep workers' streams empty, woken by their bells and by a sweep every second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from paydispatch.ports import Clock, DoorbellListener, EventLog, Sweep
    from paydispatch.services.run_flows import FlowRunner

SWEEP_EVERY_S = 1.0
"""Finds what a lost bell left, what is due again, and what a dead runner left."""

LOOKS_AT_ONCE = 100
"""Workers a sweep looks at before it begins their drains."""

PAUSE_WITHOUT_REDIS_S = 1.0


class FlowServer:
    """Runs the flows of some workers, or of all of them."""

    def __init__(
        self, runner: FlowRunner, sweep: Sweep, bells: DoorbellListener, clock: Clock, log: EventLog
    ) -> None:
        self._runner = runner
        self._sweep = sweep
        self._bells = bells
        self._clock = clock
        self._log = log
        self._drains: dict[str, asyncio.Task[int]] = {}
        self._rung_again: set[str] = set()

    @property
    def longest_run_s(self) -> float:
        return self._runner.policy.longest_run_s

    async def drain_all(
        self, worker_ids: Collection[str] | None, *, until: float | None = None
    ) -> int:
        """Run what is due for these workers (None: for all there are); return how many runs. Raises `Unavailable`."""
        drains: list[asyncio.Task[int]] = []
        try:
            if worker_ids is None:
                async for found in self._due(until):
                    drains += self._drain_each(found, until)
            else:
                drains += self._drain_each(worker_ids, until)
        finally:  # all, before the first error is told
            await asyncio.gather(*drains, return_exceptions=True)
        return sum(drain.result() for drain in drains)

    def _drain_each(
        self, worker_ids: Collection[str], until: float | None
    ) -> list[asyncio.Task[int]]:
        """A worker may be found again while it is drained. Two drains of it share its entries."""
        return [asyncio.create_task(self._runner.drain(id_, until=until)) for id_ in worker_ids]

    async def _due(self, until: float | None = None) -> AsyncIterator[Collection[str]]:
        """Look at every worker whose look is due, a batch at a time; of each batch, those with something to do."""
        while until is None or self._clock.now_s() < until:
            swept = await self._sweep.due(at_most=LOOKS_AT_ONCE)
            yield swept.with_work
            if swept.looked_at < LOOKS_AT_ONCE:
                return

    async def serve(self, worker_ids: Collection[str] | None, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; runs in hand are finished first, for as long as a flow may take."""
        sweeper = asyncio.create_task(self._keep_sweeping(worker_ids))
        listener = asyncio.create_task(self._listen(worker_ids))
        try:
            await stop.wait()
        finally:
            self._runner.stop()
            for task in (sweeper, listener):
                task.cancel()
            await asyncio.gather(sweeper, listener, return_exceptions=True)
            await asyncio.gather(*self._drains.values(), return_exceptions=True)
            await self._bells.close()

    async def _listen(self, worker_ids: Collection[str] | None) -> None:
        while True:
            try:
                worker_id = await self._bells.next(SWEEP_EVERY_S)
            except Unavailable as error:
                await self._pause(error)
                continue
            if worker_id is not None and (worker_ids is None or worker_id in worker_ids):
                self._look_at(worker_id)

    async def _keep_sweeping(self, worker_ids: Collection[str] | None) -> None:
        while True:
            try:
                await self._sweep_once(worker_ids)
            except Unavailable as error:
                await self._pause(error)
            await self._clock.sleep(SWEEP_EVERY_S)

    async def _sweep_once(self, worker_ids: Collection[str] | None) -> None:
        if worker_ids is None:
            async for found in self._due():
                self._look_at_all(found)
        else:
            self._look_at_all(await self._sweep.with_work(worker_ids))

    def _look_at_all(self, worker_ids: Collection[str]) -> None:
        for worker_id in worker_ids:
            self._look_at(worker_id)

    async def _pause(self, error: Unavailable) -> None:
        self._log.warning("stream.unavailable", why=str(error))
        await self._bells.close()
        await self._clock.sleep(PAUSE_WITHOUT_REDIS_S)

    def _look_at(self, worker_id: str) -> None:
        """Drain the stream; if a drain is under way, once more after it: it may just have seen the end."""
        if worker_id in self._drains:
            self._rung_again.add(worker_id)
            return
        drain = asyncio.create_task(self._drain(worker_id))
        self._drains[worker_id] = drain
        drain.add_done_callback(lambda _: self._drained(worker_id))

    def _drained(self, worker_id: str) -> None:
        del self._drains[worker_id]
        if worker_id in self._rung_again and not self._runner.stopped:
            self._rung_again.discard(worker_id)
            self._look_at(worker_id)

    async def _drain(self, worker_id: str) -> int:
        try:
            return await self._runner.drain(worker_id)
        except Unavailable as error:
            self._log.warning("stream.unavailable", worker_id=worker_id, why=str(error))
            return 0
