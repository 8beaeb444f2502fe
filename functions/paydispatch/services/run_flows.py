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

from paydispatch.domain.errors import MissingFlow, Unavailable
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.retry import backoff_s
from paydispatch.flow import FLOW_FAILED, Flow, ParsedError, RetryLater

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paydispatch.ports import Clock, DispatchQueue, FlowInbox, FlowScripts, Journal, Turn

_T = TypeVar("_T")

LOOK_AGAIN_S = 0.1
"""While runs are under way, the stream is looked at this often: a long run must not hold up the other contexts."""

TELL_AGAIN_S = 1.0
"""While Redis is away, the end of a run is told to it this often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPolicy:
    """How patient a runner is with its scripts."""

    timeout_s: float = 30.0
    """A run that takes longer has failed. Also bounds how soon a dead runner's entries are taken over."""
    attempts: int = 5
    """Runs of one script for one outcome, the killed ones included, before it goes to the dead stream."""
    side_by_side: int = 32
    """Contexts worked on at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPorts:
    """What running flows needs of the world."""

    inbox: FlowInbox
    scripts: FlowScripts
    queue: DispatchQueue
    clock: Clock
    journal: Journal
    fraction: Callable[[], float]
    queue_tenant: str
    """The tenant of programs that write to the queue themselves."""


class FlowRunner:
    """The flow runner's one service."""

    def __init__(self, ports: FlowPorts, policy: FlowPolicy) -> None:
        self._ports = ports
        self.policy = policy
        self.stopped = False

    def stop(self) -> None:
        """Begin no further run; those under way are finished."""
        self.stopped = True

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
                if len(chains) < self.policy.side_by_side:
                    await self._look(worker_id, chains, until, abandoned_first=abandoned_first)
                    abandoned_first = not abandoned_first
                if not chains:
                    break
                ended, chains = await asyncio.wait(
                    chains, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED
                )
                runs += sum(task.result() for task in ended)
        finally:
            if chains:
                runs += sum(await asyncio.gather(*chains))
        return runs

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
            free = self.policy.side_by_side - len(chains)
            if free > 0:
                turns = await take(worker_id, at_most=free)
                chains |= {asyncio.create_task(self._run_chain(turn, until)) for turn in turns}

    async def _run_chain(self, first: Turn, until: float | None) -> int:
        """Run a context's entries one after the other. Never raises: the stream keeps what is not acknowledged."""
        turn: Turn | None = first
        runs = 0
        while turn is not None:
            current, runs = turn, runs + 1
            try:
                turn = await self._run(current, until)
            except Unavailable as error:
                self._ports.journal.trouble(
                    "flow.not_acknowledged", **_ids(current), why=str(error)
                )
                return runs
        return runs

    async def _run(self, turn: Turn, until: float | None) -> Turn | None:
        """Run one entry; return the next turn of its context. Raises `Unavailable`."""
        started = self._ports.clock.now_s()
        if turn.attempt > self.policy.attempts:
            return await self._failed(turn, "its runs were killed every time", started, until)
        flow = Flow(
            turn.entry,
            attempt=turn.attempt,
            now_s=started,
            queue_tenant=self._ports.queue_tenant,
        )
        try:
            await self._run_script(turn, flow)
        except MissingFlow as error:
            self._ports.journal.count("FlowMissing")
            return await self._bury(turn, str(error), started, until)
        except RetryLater as later:
            await self._postpone(turn, later.after_s, until, counted=False)
            self._line("flow.postponed", turn, started, after_s=later.after_s)
            return None
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if _runner_is_cancelled():
                raise
            self._ports.journal.trouble("flow.raised", **_ids(turn), error=_shown(error))
            return await self._failed(turn, _shown(error), started, until)
        await self._send_follow_ups(turn, flow, until)
        finish = partial(self._ports.inbox.finish, turn, go_on=not self._over(until))
        following = await self._heard(finish, until)
        self._line("flow.finished", turn, started, dispatched=len(flow.outbox))
        return following

    async def _run_script(self, turn: Turn, flow: Flow) -> None:
        outcome = turn.entry.outcome
        argument = outcome.body if isinstance(outcome, Response) else ParsedError(outcome)
        try:
            async with asyncio.timeout(self.policy.timeout_s) as limit:
                await self._ports.scripts.run(turn.entry.flow_name, argument, flow)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimeoutError(f"no end within {self.policy.timeout_s} s") from error

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
        self._ports.journal.count("FlowFailed")
        return await self._bury(turn, why, started, until, tell=True)

    async def _bury(
        self, turn: Turn, why: str, started: float, until: float | None, *, tell: bool = False
    ) -> Turn | None:
        """To the dead stream; a failed response script is told to its error script, next in its context."""
        response = isinstance(turn.entry.outcome, Response)
        successor = turn.entry.failed(_script_failure(turn, why)) if tell and response else None
        bury = partial(
            self._ports.inbox.bury,
            turn,
            reason=why,
            successor=successor,
            go_on=not self._over(until),
        )
        following = await self._heard(bury, until)
        self._line("flow.buried", turn, started, why=why)
        return following

    async def _postpone(
        self, turn: Turn, delay_s: float, until: float | None, *, counted: bool
    ) -> None:
        await self._heard(
            partial(self._ports.inbox.postpone, turn, delay_s, counted=counted), until
        )

    async def _heard(self, end: Callable[[], Awaitable[_T]], until: float | None) -> _T:
        """Tell the inbox how a run ended, again while it does not hear: untold, the run would be made once more.

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
        self._ports.journal.line(
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


def _runner_is_cancelled() -> bool:
    """Whether somebody cancels the runner itself: a cancellation inside a script is that script's failure."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _shown(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]


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
