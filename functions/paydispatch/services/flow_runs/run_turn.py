"""Run one entry of a context: import its script, run it, then finish, postpone or discard the entry.

The entry is acknowledged after its script has returned and its follow-up requests are on the queue. A crash before that
runs the script once more, and sends the same follow-up requests under the same ids.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.errors import MissingFlow, ScriptFailed, Unavailable
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.retry import SCRIPT_WAIT_FIRST_S, wait_for_script_s
from paydispatch.flow import FLOW_FAILED, Flow, RetryLater
from paydispatch.ports import Postponement
from paydispatch.services.flow_runs.run_script import (
    NotBegun,
    load_script,
    run_script,
)
from paydispatch.services.log_ids import log_ids, log_trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paydispatch.domain.flow_retry import Retry
    from paydispatch.flow import FlowScripts
    from paydispatch.ports import Turn
    from paydispatch.services.flow_runs.ports import FlowPolicy, FlowPorts, StopCondition
    from paydispatch.services.flow_runs.run_script import ScriptEnd

_T = TypeVar("_T")

REPORT_AGAIN_S = 1.0
"""Seconds between two reports to Redis while it is unavailable."""

QUEUE_AGAIN_S = 5.0
"""Seconds until an entry runs again because the queue did not take its follow-up requests."""


class TurnRun:
    """One run of the entry that a turn holds."""

    def __init__(
        self, ports: FlowPorts, policy: FlowPolicy, turn: Turn, stop: StopCondition
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._turn = turn
        self._stop = stop
        self._started_at = ports.clock.now_s()
        self._script = choose_script(ports.scripts, turn.entry)

    async def run(self) -> Turn | None:
        """Run the entry. Return the next turn of its context, if there is one to go on with.

        Raises `Unavailable` when Redis or the queue is. Then the entry stays pending and runs again.
        """
        turn, policy = self._turn, self._policy
        if policy.leaves(self._script):
            return await self._leave_to_others(f"This worker leaves {self._script} to others.")
        if turn.killed >= min(policy.most_killed, policy.retry.attempts):
            return await self._give_up(f"{turn.killed} of its runs were killed", turn.attempt - 1)
        flow = Flow(
            turn.entry,
            attempt=turn.attempt,
            now_s=self._started_at,
            queue_tenant=self._ports.queue_tenant,
            stripe_api_version=self._ports.stripe_api_version,
        )
        end = await self._load()
        if end is None:
            if turn.attempt > self._retry.attempts:
                return await self._give_up("its last run was killed", turn.attempt - 1)
            end = await run_script(
                self._ports.scripts, self._script, turn.entry, flow, policy.timeout_s
            )
        return await self._follow_end(end, flow)

    @property
    def _retry(self) -> Retry:
        """The script's own `RETRY`, or that of the runner. A script that was never imported has none of its own."""
        return self._ports.scripts.retry_of(self._script) or self._policy.retry

    def ids(self) -> dict[str, object]:
        """Return the ids that stand on every log line about the run. `flow` is the script that runs."""
        turn, entry = self._turn, self._turn.entry
        error = entry.outcome.as_dict() if isinstance(entry.outcome, Error) else {}
        return {
            "flow": self._script,
            **log_ids(entry),
            "entry_id": turn.entry_id,
            "attempt": turn.attempt,
            **log_trace(entry.traceparent),
            **{f"error_{name}": error.get(name) for name in ("kind", "code", "certainty")},
        }

    async def _load(self) -> ScriptEnd:
        """Import the script if it is not loaded, and renew the lease so that the run has all of its time."""
        scripts, name = self._ports.scripts, self._script
        if scripts.is_loaded(name):
            return None
        await self._renew(self._policy.import_timeout_s)
        end = await load_script(scripts, name, self._stop.stopping)
        if end is None and not await self._renew(self._policy.timeout_s):
            return NotBegun("another runner has taken the turn over")
        return end

    async def _renew(self, for_s: float) -> bool:
        return await self._report(partial(self._ports.inbox.renew, self._turn, for_s))

    async def _follow_end(self, end: ScriptEnd, flow: Flow) -> Turn | None:
        """Finish, postpone or discard the entry, as the script ended. Return the next turn of the context."""
        match end:
            case None:
                return await self._finish(flow)
            case MissingFlow():
                return await self._leave_to_others(str(end))
            case RetryLater(after_s=after_s):
                await self._postpone(after_s, Postponement.LATER)
                self._log("flow.postponed", after_s=after_s)
                return None
            case ScriptFailed(traceback=raised_at):
                self._ports.log.warning(
                    "flow.raised", **self.ids(), error=str(end), exception=raised_at or None
                )
                return await self._retry_or_give_up(str(end))
            case NotBegun():
                await self._postpone(0.0, Postponement.NOT_BEGUN)
                self._log("flow.retried", after_s=0.0, why=str(end))
                return None

    async def _finish(self, flow: Flow) -> Turn | None:
        await self._send_follow_ups(flow)
        finish = partial(self._ports.inbox.finish, self._turn, take_next=not self._stop.holds())
        following = await self._report(finish)
        self._log("flow.finished", dispatched=len(flow.outbox))
        return following

    async def _send_follow_ups(self, flow: Flow) -> None:
        """Send before the entry is acknowledged, because after that no crash would send them again."""
        if flow.outbox:
            try:
                await self._ports.queue.send(flow.outbox)
            except Unavailable:
                await self._postpone(QUEUE_AGAIN_S, Postponement.LATER)
                raise

    async def _leave_to_others(self, why: str) -> Turn | None:
        """Leave the entry to a runner that runs its script. Discard it after `missing_wait_s` without one.

        A runner that has the script and leaves it to others expects one of them to be there, and looks again soon.
        """
        since_s = await self._report(partial(self._ports.inbox.missing_since, self._turn))
        missing_for_s = self._ports.clock.now_s() - since_s
        delay_s = wait_for_script_s(missing_for_s, self._policy.missing_wait_s)
        if delay_s is None:
            self._ports.log.count("FlowMissing")
            return await self._move_to_dead_stream(why)
        if self._policy.leaves(self._script):
            delay_s = min(delay_s, SCRIPT_WAIT_FIRST_S)
        await self._postpone(delay_s, Postponement.MISSING)
        self._ports.log.warning("flow.missing", **self.ids(), after_s=round(delay_s, 3), why=why)
        return None

    async def _retry_or_give_up(self, why: str) -> Turn | None:
        turn, retry = self._turn, self._retry
        if turn.attempt >= retry.attempts:
            return await self._give_up(why, turn.attempt)
        delay_s = retry.wait_s(turn.attempt, self._ports.fraction())
        await self._postpone(delay_s, Postponement.FAILED)
        self._ports.log.count("FlowRetried")
        self._log("flow.retried", after_s=round(delay_s, 3), of=retry.attempts, why=why)
        return None

    async def _give_up(self, why: str, runs: int) -> Turn | None:
        """Move the entry to the dead stream after so many runs."""
        turn = self._turn
        self._ports.log.count("FlowFailed")
        response = isinstance(turn.entry.outcome, Response)
        # The error script of the same request runs next, so that it learns that the response script failed.
        # Read again, because the script may have changed the values of its entry.
        successor = (
            OutcomeEntry.from_json(turn.text).with_error(
                _script_failure(self._script, turn, runs, why)
            )
            if response
            else None
        )
        return await self._move_to_dead_stream(why, successor)

    async def _move_to_dead_stream(
        self, why: str, successor: OutcomeEntry | None = None
    ) -> Turn | None:
        move = partial(
            self._ports.inbox.move_to_dead_stream,
            self._turn,
            reason=self._name_other_script(why),
            successor=successor,
            take_next=not self._stop.holds(),
        )
        following = await self._report(move)
        self._log("flow.dead", why=why)
        return following

    def _name_other_script(self, why: str) -> str:
        """Name the script that failed if it is not the outcome's own, because operators see the name of that one."""
        return why if self._script == self._turn.entry.flow_name else f"{self._script}: {why}"

    async def _postpone(self, delay_s: float, why: Postponement) -> None:
        await self._report(partial(self._ports.inbox.postpone, self._turn, delay_s, why))

    async def _report(self, report: Callable[[], Awaitable[_T]]) -> _T:
        """Report to Redis. Retry while it is unavailable, because the context waits for the report.

        A second report changes nothing. Raises `Unavailable` after the longest time of a run, or when the runner stops.
        """
        clock = self._ports.clock
        give_up_at = clock.now_s() + self._policy.timeout_s
        while True:
            try:
                return await report()
            except Unavailable:
                if self._stop.holds() or clock.now_s() >= give_up_at:
                    raise
            await clock.sleep(REPORT_AGAIN_S)

    def _log(self, event: str, **fields: object) -> None:
        now_s, entry = self._ports.clock.now_s(), self._turn.entry
        self._ports.log.info(
            event,
            **self.ids(),
            run_ms=round((now_s - self._started_at) * 1000),
            age_ms=round((now_s - (entry.accepted_at or entry.settled_at)) * 1000),
            lag_ms=round((now_s - entry.settled_at) * 1000),
            **fields,
        )


def choose_script(scripts: FlowScripts, entry: OutcomeEntry) -> str:
    """Return the name of the script for an entry: its own, or the one for any operation if it has none of its own.

    A script that exists but cannot be imported is chosen all the same. Its failure must not go to another script.
    """
    if not scripts.has(entry.flow_name) and scripts.has(entry.any_flow_name):
        return entry.any_flow_name
    return entry.flow_name


def _script_failure(script: str, turn: Turn, runs: int, why: str) -> Error:
    """Return the error for a response script that failed. It never says `not_created`, because the object exists."""
    outcome = turn.entry.outcome
    return Error(
        kind=ErrorKind.DISPATCHER,
        code=FLOW_FAILED,
        message=f"{script} failed {runs} times. The last: {why}",
        attempts=outcome.attempts,
        stripe_request_id=outcome.stripe_request_id,
        certainty=Certainty.UNKNOWN,
    )
