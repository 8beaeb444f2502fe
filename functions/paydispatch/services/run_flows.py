"""Run flows: each outcome runs the script named after it, in its context's order, at least once, and then is gone.

A turn is held by a lease: whoever has it runs the entry at the head of its context and, when that is done, goes on
with the next of the same context. So contexts run side by side and the entries of one in order, in however many
processes. A runner that dies keeps its entries pending; another takes them when the lease has run out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from paydispatch.domain.errors import MissingFlow, ScriptFailed, Unavailable
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.retry import backoff_s
from paydispatch.flow import CLEAN_UP_S, FLOW_FAILED, Flow, RetryLater
from paydispatch.services.run_script import NotBegun, copy_for_script, load_script, run_script

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paydispatch.flow import FlowScripts
    from paydispatch.ports import AsyncQueue, Clock, EventLog, FlowInbox, Turn
    from paydispatch.services.run_script import ScriptEnd

_T = TypeVar("_T")

LOOK_AGAIN_S = 0.1
"""While runs are under way, the stream is looked at this often: a long run must not hold up the other contexts."""

LOOKS_AT_ONCE = 4
"""So many streams are looked at together: those who look do not know yet which places the others will take."""

TELL_AGAIN_S = 1.0
"""While Redis is away, the end of a run is told to it this often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPolicy:
    """How patient a runner is with its scripts."""

    timeout_s: float = 30.0
    """A run that takes longer has failed. Also bounds how soon a dead runner's entries are taken over."""
    import_timeout_s: float = 30.0
    """An import that takes longer has failed. It does not count as a part of the run."""
    attempts: int = 5
    """Runs of one script for one outcome, the killed ones included, before it goes to the dead stream."""
    side_by_side: int = 32
    """Contexts of one worker that are worked on at once."""
    altogether: int = 128
    """Contexts of all workers of this process, about: each takes a thread, and may take three file descriptors."""

    @property
    def longest_run_s(self) -> float:
        """From the begin of a run to its end, at the most."""
        return self.import_timeout_s + self.timeout_s + CLEAN_UP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPorts:
    """What running flows needs of the world."""

    inbox: FlowInbox
    scripts: FlowScripts
    queue: AsyncQueue
    clock: Clock
    log: EventLog
    fraction: Callable[[], float]
    queue_tenant: str
    """The tenant of programs that write to the queue themselves."""


class FlowRunner:
    """The flow runner's one service."""

    def __init__(self, ports: FlowPorts, policy: FlowPolicy) -> None:
        self._ports = ports
        self.policy = policy
        self._under_way = 0
        """Contexts of all workers that are worked on."""
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._stopping = asyncio.Event()

    @property
    def stopped(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin no further run; those under way are finished."""
        self._stopping.set()

    async def drain(self, worker_id: str, *, until: float | None = None) -> int:
        """Run what the worker's stream holds until nothing is due; return how many runs that took.

        `until` (unix seconds): after it no further run is begun; what is left stays on the stream.
        Raises `Unavailable` when the stream cannot be read.
        """
        chains: set[asyncio.Task[int]] = set()
        runs = 0
        abandoned_first = True
        try:
            while not self._over(until):
                if self._places(chains):
                    await self._look(worker_id, chains, until, abandoned_first=abandoned_first)
                    abandoned_first = not abandoned_first
                    if not chains:
                        break
                runs += await self._wait_a_moment(chains)
        finally:
            if chains:
                runs += sum(await asyncio.gather(*chains))
        return runs

    async def _wait_a_moment(self, chains: set[asyncio.Task[int]]) -> int:
        """Until a chain ends, or it is time to look again; return the runs of what has ended."""
        if not chains:  # the other workers have every place
            await self._ports.clock.sleep(LOOK_AGAIN_S)
            return 0
        ended, _ = await asyncio.wait(
            chains, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED
        )
        chains -= ended
        return sum(chain.result() for chain in ended)

    async def _look(
        self,
        worker_id: str,
        chains: set[asyncio.Task[int]],
        until: float | None,
        *,
        abandoned_first: bool,
    ) -> None:
        """Begin a chain in each free place, for what is new and for what was abandoned.

        Each is asked for first in every other look: under load the first takes every place, and neither may starve.
        """
        inbox = self._ports.inbox
        asked = (inbox.take, inbox.take_abandoned)
        for take in reversed(asked) if abandoned_first else asked:
            async with self._looks:
                places = self._places(chains)
                turns = await take(worker_id, at_most=places) if places else ()
                chains |= {self._begin_chain(turn, until) for turn in turns}

    def _places(self, chains: set[asyncio.Task[int]]) -> int:
        own = self.policy.side_by_side - len(chains)
        return max(0, min(own, self.policy.altogether - self._under_way))

    def _begin_chain(self, turn: Turn, until: float | None) -> asyncio.Task[int]:
        chain = asyncio.create_task(self._run_chain(turn, until))
        self._under_way += 1
        chain.add_done_callback(self._count_off)
        return chain

    def _count_off(self, _: asyncio.Task[int]) -> None:
        self._under_way -= 1

    async def _run_chain(self, first: Turn, until: float | None) -> int:
        """Run a context's entries one after the other. Never raises: the stream keeps what is not acknowledged."""
        turn: Turn | None = first
        runs = 0
        while turn is not None:
            current, runs = turn, runs + 1
            try:
                turn = await self._run(current, until)
            except Unavailable as error:
                self._ports.log.warning("flow.not_acknowledged", **_ids(current), why=str(error))
                return runs
            except (
                Exception
            ):  # a fault of ours: the entry stays pending until its lease has run out
                self._ports.log.warning("flow.fault", **_ids(current))
                return runs
        return runs

    async def _run(self, turn: Turn, until: float | None) -> Turn | None:
        """Run one entry; return the next turn of its context. Raises `Unavailable`."""
        started = self._ports.clock.now_s()
        if turn.attempt > self.policy.attempts:
            return await self._failed(turn, "its runs were killed every time", started, until)
        entry = copy_for_script(turn.entry)
        flow = Flow(
            entry, attempt=turn.attempt, now_s=started, queue_tenant=self._ports.queue_tenant
        )
        end = await self._load(turn, until)
        if end is None:
            scripts, timeout_s = self._ports.scripts, self.policy.timeout_s
            end = await run_script(scripts, entry, flow, timeout_s)
        return await self._end(turn, flow, end, started, until)

    async def _load(self, turn: Turn, until: float | None) -> ScriptEnd:
        """Import the turn's script if it must be, and have the whole lease for its run all the same."""
        scripts, name = self._ports.scripts, turn.entry.flow_name
        if scripts.is_loaded(name):
            return None
        await self._renew(turn, self.policy.import_timeout_s, until)
        end = await load_script(scripts, name, self._stopping)
        if end is None and not await self._renew(turn, self.policy.timeout_s, until):
            return NotBegun("the turn is another runner's by now")
        return end

    async def _renew(self, turn: Turn, for_s: float, until: float | None) -> bool:
        return await self._heard(partial(self._ports.inbox.renew, turn, for_s), until)

    async def _end(
        self, turn: Turn, flow: Flow, end: ScriptEnd, started: float, until: float | None
    ) -> Turn | None:
        """Do what the end of a script asks for; return the next turn of its context."""
        match end:
            case None:
                return await self._finish(turn, flow, started, until)
            case MissingFlow():
                self._ports.log.count("FlowMissing")
                return await self._bury(turn, str(end), started, until)
            case RetryLater(after_s=after_s):
                await self._postpone(turn, after_s, until, counted=False)
                self._line("flow.postponed", turn, started, after_s=after_s)
                return None
            case ScriptFailed(traceback=raised_at):
                why = str(end)
                self._ports.log.warning(
                    "flow.raised", **_ids(turn), error=why, exception=raised_at or None
                )
                return await self._failed(turn, why, started, until)
            case NotBegun():
                await self._postpone(turn, 0.0, until, counted=True)
                self._line("flow.retried", turn, started, after_s=0.0, why=str(end))
                return None

    async def _finish(
        self, turn: Turn, flow: Flow, started: float, until: float | None
    ) -> Turn | None:
        await self._send_follow_ups(turn, flow, until)
        finish = partial(self._ports.inbox.finish, turn, take_next=not self._over(until))
        following = await self._heard(finish, until)
        self._line("flow.finished", turn, started, dispatched=len(flow.outbox))
        return following

    async def _send_follow_ups(self, turn: Turn, flow: Flow, until: float | None) -> None:
        """Before the acknowledgement: a crash in between sends them again, under the same identities."""
        if flow.outbox:
            try:
                await self._ports.queue.send(flow.outbox)
            except Unavailable:
                await self._postpone(turn, 5.0, until, counted=False)
                raise

    async def _failed(
        self, turn: Turn, why: str, started: float, until: float | None
    ) -> Turn | None:
        if turn.attempt < self.policy.attempts:
            delay_s = backoff_s(turn.attempt, self._ports.fraction())
            await self._postpone(turn, delay_s, until, counted=True)
            self._line("flow.retried", turn, started, after_s=round(delay_s, 3), why=why)
            return None
        self._ports.log.count("FlowFailed")
        return await self._bury(turn, why, started, until, tell=True)

    async def _bury(
        self, turn: Turn, why: str, started: float, until: float | None, *, tell: bool = False
    ) -> Turn | None:
        """To the dead stream; a failed response script is told to its error script, next in its context."""
        response = isinstance(turn.entry.outcome, Response)
        successor = turn.entry.with_error(_script_failure(turn, why)) if tell and response else None
        bury = partial(
            self._ports.inbox.move_to_dead_stream,
            turn,
            reason=why,
            successor=successor,
            take_next=not self._over(until),
        )
        following = await self._heard(bury, until)
        self._line("flow.dead", turn, started, why=why)
        return following

    async def _postpone(
        self, turn: Turn, delay_s: float, until: float | None, *, counted: bool
    ) -> None:
        await self._heard(
            partial(self._ports.inbox.postpone, turn, delay_s, counted=counted), until
        )

    async def _heard(self, end: Callable[[], Awaitable[_T]], until: float | None) -> _T:
        """Tell the inbox something of a turn, again while it does not hear: untold, its context would stand still.

        Told twice it does no harm. Raises `Unavailable` after as long as a run may take.
        """
        give_up_at = self._ports.clock.now_s() + self.policy.timeout_s
        while True:
            try:
                return await end()
            except Unavailable:
                if self._over(until) or self._ports.clock.now_s() >= give_up_at:
                    raise
            await self._ports.clock.sleep(TELL_AGAIN_S)

    def _over(self, until: float | None) -> bool:
        return self.stopped or (until is not None and self._ports.clock.now_s() >= until)

    def _line(self, event: str, turn: Turn, started: float, **fields: object) -> None:
        now_s, entry = self._ports.clock.now_s(), turn.entry
        self._ports.log.info(
            event,
            **_ids(turn),
            run_ms=round((now_s - started) * 1000),
            age_ms=round((now_s - (entry.accepted_at or entry.settled_at)) * 1000),
            **fields,
        )


def _ids(turn: Turn) -> dict[str, object]:
    entry = turn.entry
    error = entry.outcome.as_dict() if isinstance(entry.outcome, Error) else {}
    return {
        "flow": entry.flow_name,
        "request_id": entry.request_id,
        "object": entry.object,
        "worker_id": entry.worker_id,
        "context_id": entry.context_id,
        "entry_id": turn.entry_id,
        "attempt": turn.attempt,
        "traceparent": entry.traceparent,
        **{f"error_{name}": error.get(name) for name in ("kind", "code", "certainty")},
    }


def _script_failure(turn: Turn, why: str) -> Error:
    """The object was created: only its script failed. `not_created` would be a wrong verdict."""
    outcome = turn.entry.outcome
    return Error(
        kind=ErrorKind.DISPATCHER,
        code=FLOW_FAILED,
        message=f"{turn.entry.flow_name} failed {turn.attempt} times. The last: {why}",
        attempts=outcome.attempts,
        stripe_request_id=outcome.stripe_request_id,
        certainty=Certainty.UNKNOWN,
    )
