"""Serve flows: run the entries of workers' streams, after each ring of a doorbell and after a sweep every second."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from paydispatch.ports import Clock, DoorbellListener, EventLog, Sweep
    from paydispatch.services.run_flows import FlowRunner

SWEEP_EVERY_S = 1.0
"""Seconds between two sweeps. A sweep finds the entries of a lost ring, those that are due again, and those of a runner
that died."""

LOOKS_AT_ONCE = 100
"""Workers that a sweep looks at before it begins to drain those that have work."""

PAUSE_WITHOUT_REDIS_S = 1.0
"""Seconds to pause after Redis was unavailable, because the next try would fail as well if it followed at once."""


class FlowServer:
    """Runs the flows of some workers, or of all of them."""

    def __init__(
        self,
        runner: FlowRunner,
        sweep: Sweep,
        listener: DoorbellListener,
        clock: Clock,
        log: EventLog,
    ) -> None:
        self._runner = runner
        self._sweep = sweep
        self._listener = listener
        self._clock = clock
        self._log = log
        self._stopping = False
        self._drains: dict[str, asyncio.Task[int]] = {}
        self._drain_again: set[str] = set()
        """Workers that must be drained once more after the drain that is under way."""

    @property
    def longest_run_s(self) -> float:
        """The most seconds from the start of a run to its end."""
        return self._runner.policy.longest_run_s

    async def drain_all(
        self, worker_ids: Collection[str] | None, *, until: float | None = None
    ) -> int:
        """Run the due entries of these workers (None: of all workers). Return the number of runs.

        After `until` (unix seconds) no further run begins. Raises `Unavailable`.
        """
        drains: list[asyncio.Task[int]] = []
        try:
            if worker_ids is None:
                async for found in self._find_work(until):
                    drains += self._drain_each(found, until)
            else:
                drains += self._drain_each(worker_ids, until)
        finally:  # every drain ends before the first error is raised
            await asyncio.gather(*drains, return_exceptions=True)
        return sum(drain.result() for drain in drains)

    def _drain_each(
        self, worker_ids: Collection[str], until: float | None
    ) -> list[asyncio.Task[int]]:
        """Begin a drain for each worker. If a worker is found twice, its two drains share its entries."""
        return [asyncio.create_task(self._runner.drain(id_, until=until)) for id_ in worker_ids]

    async def _find_work(self, until: float | None = None) -> AsyncIterator[Collection[str]]:
        """Look at every worker that is due for a look, in batches. Yield the workers of each batch that have work."""
        while until is None or self._clock.now_s() < until:
            swept = await self._sweep.due(at_most=LOOKS_AT_ONCE)
            yield swept.with_work
            if swept.looked_at < LOOKS_AT_ONCE:
                return

    async def serve(self, worker_ids: Collection[str] | None, stop: asyncio.Event) -> None:
        """Serve these workers (None: all) until `stop` is set. Then finish the runs that have begun."""
        sweeping = asyncio.create_task(self._keep_sweeping(worker_ids))
        listening = asyncio.create_task(self._listen(worker_ids))
        try:
            await stop.wait()
        finally:
            self._stopping = True  # because redis-py may lose a cancellation while it connects
            self._runner.stop()
            for task in (sweeping, listening):
                task.cancel()
            await asyncio.gather(sweeping, listening, return_exceptions=True)
            await asyncio.gather(*self._drains.values(), return_exceptions=True)
            await self._listener.close()

    async def _listen(self, worker_ids: Collection[str] | None) -> None:
        while not self._stopping:
            try:
                worker_id = await self._listener.next(SWEEP_EVERY_S)
            except Unavailable as error:
                await self._pause(error)
                continue
            if worker_id is not None and (worker_ids is None or worker_id in worker_ids):
                self._look_at(worker_id)

    async def _keep_sweeping(self, worker_ids: Collection[str] | None) -> None:
        while not self._stopping:
            try:
                await self._sweep_once(worker_ids)
            except Unavailable as error:
                await self._pause(error)
            await self._clock.sleep(SWEEP_EVERY_S)

    async def _sweep_once(self, worker_ids: Collection[str] | None) -> None:
        if worker_ids is None:
            async for found in self._find_work():
                self._look_at_all(found)
        else:
            self._look_at_all(await self._sweep.with_work(worker_ids))

    def _look_at_all(self, worker_ids: Collection[str]) -> None:
        for worker_id in worker_ids:
            self._look_at(worker_id)

    async def _pause(self, error: Unavailable) -> None:
        self._log.warning("stream.unavailable", why=str(error))
        await self._listener.close()
        await self._clock.sleep(PAUSE_WITHOUT_REDIS_S)

    def _look_at(self, worker_id: str) -> None:
        """Drain the worker's stream. If a drain is under way, drain it once more afterwards.

        The drain under way may have looked at the stream just before the new entry was published.
        """
        if worker_id in self._drains:
            self._drain_again.add(worker_id)
            return
        drain = asyncio.create_task(self._drain(worker_id))
        self._drains[worker_id] = drain
        drain.add_done_callback(lambda _: self._on_drain_end(worker_id))

    def _on_drain_end(self, worker_id: str) -> None:
        del self._drains[worker_id]
        if worker_id in self._drain_again and not self._runner.stopped:
            self._drain_again.discard(worker_id)
            self._look_at(worker_id)

    async def _drain(self, worker_id: str) -> int:
        try:
            return await self._runner.drain(worker_id)
        except Unavailable as error:
            self._log.warning("stream.unavailable", worker_id=worker_id, why=str(error))
            return 0
