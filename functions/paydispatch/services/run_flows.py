"""Run the flows of a worker: each outcome runs the script named after it, at least once, in the order of its context.

A turn is a lease on a context. The runner that holds it runs the entry at the head of the context, and then goes on
with the next entry of the same context: a chain. Contexts run side by side, in any number of processes. If a runner
dies, its entries stay pending, and another runner takes them over when the lease has expired.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable
from paydispatch.services.flow_runs.ports import FlowPolicy, FlowPorts, StopCondition
from paydispatch.services.flow_runs.run_turn import TurnRun

if TYPE_CHECKING:
    from paydispatch.ports import Turn

LOOK_AGAIN_S = 0.1
"""Seconds between two looks at a stream while chains run, so that a long run does not hold up other contexts."""

GATHER_S = 0.001
"""Seconds to wait for more chains to end after one has, because quick ones end together and a look costs as much as
several of them."""

LOOKS_AT_ONCE = 4
"""Streams that are looked at together. A look asks for all free places, because it does not know the other looks."""


class FlowRunner:
    """The flow runner's one service."""

    def __init__(self, ports: FlowPorts, policy: FlowPolicy) -> None:
        self.policy = policy
        self._ports = ports
        self._running_contexts = 0
        """Contexts of all workers."""
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._stopping = asyncio.Event()

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin no further run. Runs that have begun are finished."""
        self._stopping.set()

    async def drain(self, worker_id: str, *, until: float | None = None) -> int:
        """Run the entries of the worker's stream until none is due. Return the number of runs.

        After `until` (unix seconds) no further run begins, and the remaining entries stay on the stream. Raises
        `Unavailable` when the stream cannot be read.
        """
        stop = StopCondition(self._ports.clock, self._stopping, until)
        chains: set[asyncio.Task[int]] = set()
        runs = 0
        abandoned_first = True
        try:
            while not stop.holds():
                if self._free_places(chains):
                    await self._look(worker_id, chains, stop, abandoned_first=abandoned_first)
                    abandoned_first = not abandoned_first
                    if not chains:
                        break
                runs += await self._wait_a_moment(chains)
        finally:
            if chains:
                runs += sum(await asyncio.gather(*chains))
        return runs

    async def _wait_a_moment(self, chains: set[asyncio.Task[int]]) -> int:
        """Wait until a chain ends or it is time to look again. Return the runs of the chains that ended."""
        if not chains:  # other workers use every place
            await self._ports.clock.sleep(LOOK_AGAIN_S)
            return 0
        first, running = await asyncio.wait(
            chains, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED
        )
        if first and running:
            await asyncio.wait(running, timeout=GATHER_S)
        ended = {chain for chain in chains if chain.done()}
        chains -= ended
        return sum(chain.result() for chain in ended)

    async def _look(
        self,
        worker_id: str,
        chains: set[asyncio.Task[int]],
        stop: StopCondition,
        *,
        abandoned_first: bool,
    ) -> None:
        """Begin a chain in each free place: for new entries, and for abandoned and postponed ones.

        The two kinds take turns in being first. Under load the first kind takes every place, and neither may starve.
        """
        inbox = self._ports.inbox
        asked = (inbox.take, inbox.take_abandoned)
        for take in reversed(asked) if abandoned_first else asked:
            async with self._looks:
                places = self._free_places(chains)
                turns = await take(worker_id, at_most=places) if places else ()
                chains |= {self._begin_chain(turn, stop) for turn in turns}

    def _free_places(self, chains: set[asyncio.Task[int]]) -> int:
        own = self.policy.side_by_side - len(chains)
        return max(0, min(own, self.policy.altogether - self._running_contexts))

    def _begin_chain(self, turn: Turn, stop: StopCondition) -> asyncio.Task[int]:
        chain = asyncio.create_task(self._run_chain(turn, stop))
        self._running_contexts += 1
        chain.add_done_callback(self._count_off)
        return chain

    def _count_off(self, _: asyncio.Task[int]) -> None:
        self._running_contexts -= 1

    async def _run_chain(self, first: Turn, stop: StopCondition) -> int:
        """Run the entries of one context one after the other. Return the number of runs.

        Never raises. An entry that is not acknowledged stays pending until its lease has expired.
        """
        turn: Turn | None = first
        runs = 0
        while turn is not None:
            run, runs = TurnRun(self._ports, self.policy, turn, stop), runs + 1
            try:
                turn = await run.run()
            except Unavailable as error:
                self._ports.log.warning("flow.not_acknowledged", **run.ids(), why=str(error))
                return runs
            except Exception:  # a fault of paydispatch itself
                self._ports.log.warning("flow.fault", **run.ids())
                return runs
        return runs
