"""`FlowRunner` runs each entry at least once, in the order of its context, and repeats no run without need."""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import PARAMS, TRACE_ID, TRACEPARENT, entry, make_failure, make_success

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.flow_retry import Retry
from paydispatch.domain.outcomes import Certainty, ErrorKind
from paydispatch.flow import Flow, ParsedError, RetryLater
from paydispatch.ports import Postponement
from paydispatch.services.flow_runs.ports import FlowPolicy
from paydispatch.testing.memory_inbox import MemoryInbox

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from tests.unit.services.conftest import Runner

    from paydispatch.ports import Turn
    from paydispatch.testing.memory_clock import MemoryClock


class Log:
    """A script that records its runs."""

    def __init__(self, *raises: BaseException | None) -> None:
        self.runs: list[Flow] = []
        self.arguments: list[Any] = []
        self._raises = list(raises)

    def __call__(self, argument: Any, flow: Flow) -> None:
        self.runs.append(flow)
        self.arguments.append(argument)
        error = self._raises.pop(0) if self._raises else None
        if error is not None:
            raise error

    @property
    def request_ids(self) -> list[str]:
        return [flow.request_id for flow in self.runs]


def always(error: Exception) -> Log:
    return Log(*[error] * 100)


class FailingReports(MemoryInbox):
    """An inbox that fails for the first reports of a run's end, before or after they take effect."""

    def __init__(self, clock: MemoryClock, *, failures: int, afterwards: bool) -> None:
        super().__init__(clock)
        self._failures = failures
        self._afterwards = afterwards

    async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
        return await self._fail_first(super().finish(turn, take_next=take_next))

    async def postpone(self, turn: Turn, delay_s: float, why: Postponement) -> None:
        await self._fail_first(super().postpone(turn, delay_s, why))

    async def move_to_dead_stream(self, turn: Turn, **why: Any) -> Turn | None:
        return await self._fail_first(super().move_to_dead_stream(turn, **why))

    async def _fail_first(self, report: Coroutine[Any, Any, Any]) -> Any:
        lost = self._failures > 0
        self._failures -= 1
        if lost and not self._afterwards:
            report.close()
        answer = None if lost and not self._afterwards else await report
        if lost:
            raise Unavailable("Redis is unavailable")
        return answer


class FailingReads(MemoryInbox):
    """An inbox that can claim abandoned entries while it cannot read new ones."""

    fails = False

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        if self.fails:
            raise Unavailable("Redis is unavailable")
        return await super().take(worker_id, at_most=at_most)


class TestARun:
    async def test_a_response_script_gets_stripes_answer(self, runner: Runner) -> None:
        log = Log()
        runner.with_scripts(response=log)
        runner.put(outcome=make_success(body={"id": "pi_9"}))
        assert await runner.drain() == 1
        assert log.arguments == [{"id": "pi_9"}]
        assert not runner.waiting

    async def test_an_error_script_gets_the_whole_error(self, runner: Runner) -> None:
        log = Log()
        runner.with_scripts(error=log)
        runner.put(outcome=make_failure(message="No.", code="card_declined", http_status=402))
        await runner.drain()
        (error,) = log.arguments
        assert isinstance(error, ParsedError)
        assert str(error) == "No."
        assert (error.kind, error.certainty) == (ErrorKind.API, Certainty.NOT_CREATED)
        assert (error.code, error.http_status, error.attempts) == ("card_declined", 402, 1)

    async def test_a_flow_has_its_ids_and_parameters(self, runner: Runner) -> None:
        log = Log()
        runner.with_scripts(response=log)
        runner.put("pdr_7", "context-7")
        await runner.drain()
        (flow,) = log.runs
        assert (flow.request_id, flow.context_id) == ("pdr_7", "context-7")
        assert (flow.worker_id, flow.object) == ("worker-1", "payment_intent")
        assert (flow.params, flow.attempt) == (PARAMS, 1)

    async def test_an_async_script_is_awaited(self, runner: Runner) -> None:
        ended: list[str] = []

        async def response(data: Any, flow: Flow) -> None:
            await asyncio.sleep(0)
            ended.append(flow.request_id)

        runner.with_scripts(response=response)
        runner.put()
        await runner.drain()
        assert ended == ["pdr_1"]

    async def test_a_run_logs_one_line_with_all_ids(self, runner: Runner) -> None:
        runner.with_scripts(response=Log())
        runner.put(traceparent=TRACEPARENT)
        await runner.drain()
        ((event, line),) = runner.log.lines
        assert event == "flow.finished"
        assert line["flow"] == "new_create_payment_intent_response"
        assert (line["request_id"], line["context_id"]) == ("pdr_1", "context-1")
        assert (line["attempt"], line["traceparent"]) == (1, TRACEPARENT)
        assert line["trace_id"] == TRACE_ID


class TestOrder:
    async def test_the_entries_of_one_context_run_in_order(self, runner: Runner) -> None:
        log = Log()
        runner.with_scripts(response=log)
        for number in range(5):
            runner.put(f"pdr_{number}")
        assert await runner.drain() == 5
        assert log.request_ids == [f"pdr_{number}" for number in range(5)]

    async def test_a_retried_entry_holds_up_the_rest_of_its_context(self, runner: Runner) -> None:
        log = Log(ValueError("not yet"))
        runner.with_scripts(response=log)
        runner.put("pdr_1")
        runner.put("pdr_2")
        await runner.drain()
        assert log.request_ids == ["pdr_1"]
        await runner.drain_until_quiet()
        assert log.request_ids == ["pdr_1", "pdr_1", "pdr_2"]

    async def test_different_contexts_run_side_by_side(self, runner: Runner) -> None:
        both_there = asyncio.Barrier(2)

        async def response(data: Any, flow: Flow) -> None:
            await both_there.wait()

        runner.with_scripts(response=response)
        runner.put("pdr_1", "context-1")
        runner.put("pdr_2", "context-2")
        assert await runner.drain() == 2
        assert not runner.waiting

    async def test_a_context_that_fails_holds_up_no_other(self, runner: Runner) -> None:
        fine: list[str] = []

        def response(data: Any, flow: Flow) -> None:
            if flow.context_id == "bad":
                raise ValueError("broken")
            fine.append(flow.request_id)

        runner.with_scripts(response=response, error=Log())
        runner.put("pdr_bad", "bad")
        for number in range(3):
            runner.put(f"pdr_{number}", "good")
        await runner.drain()
        assert fine == ["pdr_0", "pdr_1", "pdr_2"]
        assert runner.waiting == ["pdr_bad"]

    async def test_no_more_contexts_run_at_once_than_allowed(self, runner: Runner) -> None:
        running, most = 0, 0

        async def response(data: Any, flow: Flow) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

        runner.policy = type(runner.policy)(side_by_side=3)
        runner.with_scripts(response=response)
        for number in range(10):
            runner.put(f"pdr_{number}", f"context-{number}")
        assert await runner.drain() == 10
        assert most == 3


class TestRetryLater:
    async def test_retry_later_is_not_a_failure(self, runner: Runner) -> None:
        log = Log(*[RetryLater(after_s=60)] * 10)
        runner.with_scripts(response=log)
        runner.put()
        for _ in range(10):
            await runner.drain()
            runner.clock.advance(60)
        await runner.drain()
        assert {flow.attempt for flow in log.runs} == {1}
        assert len(log.runs) == 11
        assert not runner.waiting
        assert not runner.dead

    async def test_retry_later_waits_for_its_whole_time(self, runner: Runner) -> None:
        log = Log(RetryLater(after_s=60))
        runner.with_scripts(response=log)
        runner.put()
        await runner.drain()
        runner.clock.advance(59)
        assert await runner.drain() == 0
        runner.clock.advance(1)
        assert await runner.drain() == 1

    async def test_an_invalid_after_s_fails_only_its_own_script(self, runner: Runner) -> None:
        error, fine = Log(), Log()

        def response(data: Any, flow: Flow) -> None:
            if flow.context_id != "bad":
                return fine(data, flow)
            raise RetryLater(after_s=float("inf"))

        runner.with_scripts(response=response, error=error)
        runner.put("pdr_bad", "bad")
        runner.put("pdr_1", "good")
        await runner.drain()
        assert fine.request_ids == ["pdr_1"]
        await runner.drain_until_quiet()
        assert error.request_ids == ["pdr_bad"]
        assert "ValueError: after_s must be" in str(error.arguments[0])


class TestUnderLoad:
    """All places for contexts are taken, and more entries wait."""

    PLACES = 2
    MANY = 40
    SOON = 4 * PLACES
    numbers = itertools.count()

    async def run_among_many(self, runner: Runner, on_one: Any, on_many: Any) -> list[str]:
        """Run flows until the runner is stopped. Return their contexts in order."""
        ran: list[str] = []

        def response(data: Any, flow: Flow) -> None:
            ran.append(flow.context_id)
            if len(ran) == self.MANY:
                runner.runner.stop()
            (on_one if flow.context_id == "one" else on_many)()

        runner.policy = FlowPolicy(side_by_side=self.PLACES)
        runner.with_scripts(response=response)
        await runner.drain()
        return ran

    def put_two_more(self, runner: Runner) -> None:
        for number in itertools.islice(self.numbers, 2):
            runner.put(f"pdr_{number}", f"fresh-{number}")

    async def test_a_postponed_flow_runs_while_new_entries_keep_coming(
        self, runner: Runner
    ) -> None:
        runner.put("pdr_one", "one")
        (turn,) = await runner.inbox.take("worker-1", at_most=1)
        await runner.inbox.postpone(turn, 0.0, Postponement.LATER)
        self.put_two_more(runner)
        ran = await self.run_among_many(runner, list, lambda: self.put_two_more(runner))
        assert "one" in ran[: self.SOON]

    async def test_an_abandoned_flow_runs_while_new_entries_keep_coming(
        self, runner: Runner
    ) -> None:
        runner.put("pdr_one", "one")
        await runner.inbox.take("worker-1", at_most=1)  # by a runner that dies
        runner.clock.advance(41)
        self.put_two_more(runner)
        ran = await self.run_among_many(runner, list, lambda: self.put_two_more(runner))
        assert "one" in ran[: self.SOON]

    async def test_a_new_flow_runs_while_postponed_entries_keep_coming(
        self, runner: Runner
    ) -> None:
        def again() -> None:
            raise RetryLater(after_s=0)

        for number in range(2 * self.PLACES):
            runner.put(f"pdr_{number}", f"postponed-{number}")
        for turn in await runner.inbox.take("worker-1", at_most=2 * self.PLACES):
            await runner.inbox.postpone(turn, 0.0, Postponement.LATER)
        runner.put("pdr_one", "one")
        ran = await self.run_among_many(runner, list, again)
        assert "one" in ran[: self.SOON]

    async def test_a_claimed_entry_runs_though_new_entries_could_not_be_read(
        self, runner: Runner
    ) -> None:
        log = Log()
        runner.inbox = FailingReads(runner.clock)
        runner.with_scripts(response=log)
        runner.put("pdr_1", "context-1")
        (turn,) = await runner.inbox.take("worker-1", at_most=1)
        await runner.inbox.postpone(turn, 0.0, Postponement.LATER)
        runner.inbox.fails = True
        with pytest.raises(Unavailable):
            await runner.drain()
        assert log.request_ids == ["pdr_1"]
        assert not runner.waiting


class TestFailing:
    async def test_a_script_that_raises_runs_again(self, runner: Runner) -> None:
        log = Log(ValueError("once"))
        runner.with_scripts(response=log)
        runner.put()
        await runner.drain_until_quiet()
        assert [flow.attempt for flow in log.runs] == [1, 2]
        assert log.request_ids == ["pdr_1", "pdr_1"]
        assert not runner.dead

    async def test_each_retry_waits_longer(self, runner: Runner) -> None:
        runner.with_scripts(response=always(ValueError("broken")), error=Log())
        runner.put()
        await runner.drain_until_quiet()
        waits = [line["after_s"] for event, line in runner.log.lines if event == "flow.retried"]
        assert waits == [0.75, 1.5]

    async def test_after_its_last_failed_run_an_entry_is_dead_and_the_error_script_runs(
        self, runner: Runner
    ) -> None:
        error = Log()
        runner.with_scripts(response=always(ValueError("broken")), error=error)
        runner.put()
        await runner.drain_until_quiet()
        assert runner.dead == [entry()]
        (parsed,) = error.arguments
        assert (parsed.kind, parsed.code) == (ErrorKind.DISPATCHER, "flow_failed")
        assert parsed.certainty is Certainty.UNKNOWN
        assert "ValueError: broken" in str(parsed)
        assert runner.log.counts["FlowFailed"] == 1

    async def test_the_error_script_runs_before_the_next_entry_of_its_context(
        self, runner: Runner
    ) -> None:
        order: list[str] = []

        def response(data: Any, flow: Flow) -> None:
            if flow.request_id == "pdr_1":
                raise ValueError("broken")
            order.append(f"response {flow.request_id}")

        def error(error: Any, flow: Flow) -> None:
            order.append(f"error {flow.request_id}")

        runner.with_scripts(response=response, error=error)
        runner.put("pdr_1")
        runner.put("pdr_2")
        await runner.drain_until_quiet()
        assert order == ["error pdr_1", "response pdr_2"]

    async def test_an_error_script_that_fails_is_dead_and_no_other_script_runs(
        self, runner: Runner
    ) -> None:
        error = always(ValueError("broken too"))
        runner.with_scripts(error=error)
        runner.put(outcome=make_failure())
        await runner.drain_until_quiet()
        assert len(error.runs) == 3
        assert runner.dead == [entry(outcome=make_failure())]

    async def test_if_both_scripts_fail_both_entries_are_dead(self, runner: Runner) -> None:
        broken = always(ValueError("broken"))
        runner.with_scripts(response=broken, error=broken)
        runner.put()
        await runner.drain_until_quiet()
        assert len(broken.runs) == 6
        assert [dead_entry.flow_name.rpartition("_")[2] for dead_entry in runner.dead] == [
            "response",
            "error",
        ]

    async def test_a_missing_response_script_does_not_run_the_error_script(
        self, runner: Runner
    ) -> None:
        error = Log()
        runner.with_scripts(error=error)
        runner.put()
        await runner.drain_until_quiet()
        assert not error.runs
        assert runner.dead == [entry()]

    async def test_an_outcome_without_a_script_of_its_own_runs_the_one_for_any_operation(
        self, runner: Runner
    ) -> None:
        response, error = Log(), Log()
        runner.with_scripts(any_response=response, any_error=error)
        runner.put("pdr_1")
        runner.put("pdr_2", outcome=make_failure())
        await runner.drain()
        assert (response.request_ids, error.request_ids) == (["pdr_1"], ["pdr_2"])
        assert [flow.operation for flow in response.runs] == ["create_payment_intent"]

    async def test_the_log_line_of_a_run_names_the_script_that_ran(self, runner: Runner) -> None:
        runner.with_scripts(any_response=Log())
        runner.put()
        await runner.drain()
        (fields,) = (fields for event, fields in runner.log.lines if event == "flow.finished")
        assert fields["flow"] == "any_response"

    async def test_a_script_of_its_own_runs_instead_of_the_one_for_any_operation(
        self, runner: Runner
    ) -> None:
        own, any_one = Log(), Log()
        runner.with_scripts(response=own, any_response=any_one)
        runner.put()
        await runner.drain()
        assert (own.request_ids, any_one.runs) == (["pdr_1"], [])

    async def test_a_script_for_any_response_that_fails_is_followed_by_the_one_for_any_error(
        self, runner: Runner
    ) -> None:
        error = Log()
        runner.with_scripts(any_response=always(ValueError("no")), any_error=error)
        runner.put()
        await runner.drain_until_quiet()
        (argument,) = error.arguments
        assert argument.code == "flow_failed"
        assert str(argument).startswith("any_response failed 3 times.")

    async def test_a_script_that_hangs_fails_after_its_timeout(self, runner: Runner) -> None:
        async def response(data: Any, flow: Flow) -> None:
            await asyncio.Event().wait()

        runner.policy = type(runner.policy)(timeout_s=0.01, retry=Retry(attempts=1))
        error = Log()
        runner.with_scripts(response=response, error=error)
        runner.put()
        await runner.drain_until_quiet()
        assert "no end within 0.01 s" in str(error.arguments[0])

    async def test_a_timeout_error_of_a_script_is_reported_with_its_own_text(
        self, runner: Runner
    ) -> None:
        error = Log()
        runner.with_scripts(response=always(TimeoutError("the shop is slow")), error=error)
        runner.put()
        await runner.drain_until_quiet()
        assert "the shop is slow" in str(error.arguments[0])

    @pytest.mark.parametrize("kind", ["sync", "async"])
    async def test_sys_exit_in_a_script_fails_only_that_script(
        self, runner: Runner, kind: str
    ) -> None:
        def exits(data: Any, flow: Flow) -> None:
            sys.exit(3)

        async def exits_async(data: Any, flow: Flow) -> None:
            sys.exit(3)

        error = Log()
        runner.with_scripts(response=exits if kind == "sync" else exits_async, error=error)
        runner.put("pdr_1")
        await runner.drain_until_quiet()
        assert "SystemExit" in str(error.arguments[0])

    async def test_a_script_that_raises_cancelled_error_fails(self, runner: Runner) -> None:
        async def response(data: Any, flow: Flow) -> None:
            inner = asyncio.create_task(asyncio.sleep(60))
            inner.cancel()
            await inner

        error = Log()
        runner.with_scripts(response=response, error=error)
        runner.put()
        await runner.drain_until_quiet()
        assert "CancelledError" in str(error.arguments[0])


class TestFollowUps:
    def dispatch_two(self, *raises: BaseException | None) -> Any:
        failing = list(raises)

        def response(data: Any, flow: Flow) -> None:
            flow.new_coupon().percent_off(10).duration("once").create_async()
            flow.new_product().name("Tea").create_async(lane="batch")
            error = failing.pop(0) if failing else None
            if error is not None:
                raise error

        return response

    async def test_follow_ups_carry_the_ids_and_the_key_of_their_flow(self, runner: Runner) -> None:
        runner.with_scripts(response=self.dispatch_two())
        runner.put(principal="shop/checkout", stripe_account="acct_1")
        await runner.drain()
        coupon, product = runner.queue.sent
        assert (coupon.object, product.object) == ("coupon", "product")
        assert coupon.binding == product.binding
        assert (coupon.principal, coupon.sealed_secret) == ("shop/checkout", "sealed-1")
        assert (coupon.worker_id, coupon.context_id) == ("worker-1", "context-1")
        assert (coupon.stripe_account, product.lane.value) == ("acct_1", "batch")

    async def test_a_failed_run_sends_no_follow_ups(self, runner: Runner) -> None:
        runner.with_scripts(response=self.dispatch_two(ValueError("late")))
        runner.put()
        await runner.drain()
        assert not runner.queue.sent

    async def test_a_repeated_run_sends_the_same_requests(self, runner: Runner) -> None:
        runner.with_scripts(response=self.dispatch_two())
        runner.put()
        await runner.drain()
        runner.put()  # the same outcome again, because a run happens at least once
        await runner.drain()
        first, second, *again = [sent.request_id for sent in runner.queue.sent]
        assert again == [first, second]
        assert first != second

    async def test_follow_ups_of_an_unknown_outcome_and_of_its_settled_outcome_are_different_requests(
        self, runner: Runner
    ) -> None:
        runner.with_scripts(error=self.dispatch_two(), response=self.dispatch_two())
        runner.put(outcome=make_failure(certainty=Certainty.UNKNOWN))
        await runner.drain()
        runner.put(outcome=make_success())  # reconcile found the object
        await runner.drain()
        ids = [sent.request_id for sent in runner.queue.sent]
        assert len(ids) == len(set(ids)) == 4

    async def test_follow_ups_of_a_response_script_and_of_its_error_script_are_different_requests(
        self, runner: Runner
    ) -> None:
        def response(data: Any, flow: Flow) -> None:
            flow.new_product().name("Tea").create_async()
            runner.inbox.away = flow.attempt == 1  # sent, and never acknowledged
            if flow.attempt > 1:
                raise ValueError("broken by now")

        def error(error: Any, flow: Flow) -> None:
            flow.new_product().name("Sorry").create_async()

        runner.with_scripts(response=response, error=error)
        runner.put()
        with pytest.raises(Unavailable):
            await runner.drain()
        runner.inbox.away = False
        await runner.drain_until_quiet()
        names = {sent.request_id: sent.params["name"] for sent in runner.queue.sent}
        assert sorted(names.values()) == ["Sorry", "Tea"]

    async def test_follow_ups_are_on_the_queue_before_the_entry_is_acknowledged(
        self, runner: Runner
    ) -> None:
        runner.with_scripts(response=self.dispatch_two())
        runner.put()

        sent: list[int] = []

        def crash(*_: Any, **__: Any) -> None:
            sent.append(len(runner.queue.sent))
            raise ZeroDivisionError

        runner.inbox.finish = crash  # type: ignore[assignment,method-assign]
        await runner.drain()
        assert sent == [2]
        assert runner.waiting == ["pdr_1"]

    async def test_a_run_is_postponed_while_the_queue_is_unavailable(self, runner: Runner) -> None:
        log = Log()

        def response(data: Any, flow: Flow) -> None:
            log(data, flow)
            flow.new_product().name("Tea").create_async()

        runner.with_scripts(response=response)
        runner.queue.away = True
        runner.put()
        for _ in range(10):
            await runner.drain()
            runner.clock.advance(10)
        assert runner.waiting == ["pdr_1"]
        runner.queue.away = False
        await runner.drain_until_quiet()
        assert len(runner.queue.sent) == 1
        assert {flow.attempt for flow in log.runs} == {1}
        assert not runner.dead


class TestInterruptedRuns:
    async def test_a_runner_that_is_cancelled_leaves_the_run_to_another(
        self, runner: Runner
    ) -> None:
        begun = asyncio.Event()

        async def response(data: Any, flow: Flow) -> None:
            begun.set()
            await asyncio.Event().wait()

        runner.with_scripts(response=response)
        runner.put()
        draining = asyncio.create_task(runner.drain())
        await begun.wait()
        for _ in range(2):  # the first waits for the run, the second cancels it
            draining.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await draining
        assert runner.waiting == ["pdr_1"]
        assert runner.log.events() == []

    async def test_the_entry_of_a_killed_runner_is_claimed_when_its_lease_expires(
        self, runner: Runner
    ) -> None:
        log = Log()
        runner.with_scripts(response=log)
        runner.put()
        await runner.inbox.take("worker-1", at_most=1)  # by a runner that dies
        assert await runner.drain() == 0
        runner.clock.advance(41)
        assert await runner.drain() == 1
        assert [flow.attempt for flow in log.runs] == [2]

    async def test_killed_runs_count_as_attempts(self, runner: Runner) -> None:
        response, error = Log(), Log()
        runner.with_scripts(response=response, error=error)
        runner.put()
        await runner.inbox.take("worker-1", at_most=1)
        for _ in range(2):
            runner.clock.advance(41)
            await runner.inbox.take_abandoned("worker-1", at_most=1)
        runner.clock.advance(41)
        await runner.drain_until_quiet()
        assert not response.runs
        assert str(error.arguments[0]).endswith(
            "failed 3 times. The last: 3 of its runs were killed"
        )
        assert runner.dead == [entry()]

    async def test_an_entry_stays_pending_if_redis_is_unavailable_at_its_acknowledgement(
        self, runner: Runner
    ) -> None:
        def response(data: Any, flow: Flow) -> None:
            runner.inbox.away = flow.attempt == 1

        runner.with_scripts(response=response)
        runner.put()
        with pytest.raises(Exception, match="Redis is unavailable"):
            await runner.drain()
        assert "flow.not_acknowledged" in runner.log.events()
        runner.inbox.away = False
        runner.clock.advance(41)
        await runner.drain()
        assert not runner.waiting

    @pytest.mark.parametrize("lost", ["the report", "its answer"])
    @pytest.mark.parametrize(
        ("raised", "attempts"), [(None, 3), (RetryLater(after_s=9), 3), (ValueError(), 1)]
    )
    async def test_a_short_outage_of_redis_after_a_run_causes_no_second_run(
        self, runner: Runner, raised: Exception | None, attempts: int, lost: str
    ) -> None:
        script = Log(raised)
        runner.policy = FlowPolicy(timeout_s=5.0, retry=Retry(attempts=attempts))
        runner.inbox = FailingReports(runner.clock, failures=3, afterwards=lost == "its answer")
        runner.with_scripts(response=script, error=Log())
        runner.put()
        await runner.drain()
        assert [flow.attempt for flow in script.runs] == [1]
        assert len(runner.dead) <= 1
        assert "flow.not_acknowledged" not in runner.log.events()

    async def test_stop_ends_the_drain_after_the_current_run(self, runner: Runner) -> None:
        log = Log()

        def response(data: Any, flow: Flow) -> None:
            log(data, flow)
            runner.runner.stop()

        runner.with_scripts(response=response)
        runner.put("pdr_1")
        runner.put("pdr_2")
        assert await runner.drain() == 1
        assert log.request_ids == ["pdr_1"]
        assert runner.waiting == ["pdr_2"]

    async def test_no_run_begins_after_until(self, runner: Runner) -> None:
        log = Log()

        def response(data: Any, flow: Flow) -> None:
            log(data, flow)
            runner.clock.advance(60)

        runner.with_scripts(response=response)
        for number in range(5):
            runner.put(f"pdr_{number}")
        until = runner.clock.now_s() + 100
        assert await runner.runner.drain("worker-1", until=until) == 2
        assert runner.waiting == ["pdr_2", "pdr_3", "pdr_4"]
