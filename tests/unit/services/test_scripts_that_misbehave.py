"""A script that misbehaves fails alone. It ends, blocks or mislabels nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from tests.unit.examples import entry

from paydispatch.domain.errors import MissingFlow, Unavailable
from paydispatch.domain.flow_retry import Retry
from paydispatch.domain.outcomes import Certainty, ErrorKind
from paydispatch.flow import RetryLater
from paydispatch.services.flow_runs.ports import FlowPolicy, FlowPorts
from paydispatch.services.run_flows import FlowRunner
from paydispatch.testing.memory_inbox import MemoryInbox
from paydispatch.testing.memory_scripts import MemoryScripts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.unit.services.conftest import Runner

    from paydispatch.flow import Flow
    from paydispatch.ports import Turn

KEY = "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc"


class Unprintable(Exception):
    def __str__(self) -> NoReturn:
        raise ZeroDivisionError

    __repr__ = __str__


def raiser(error: BaseException) -> Callable[[], Any]:
    def run() -> None:
        raise error

    return run


async def fail(text: str) -> None:
    await asyncio.sleep(0)
    raise ValueError(text)


async def fail_at_once(text: str) -> None:
    raise ValueError(text)


async def ask_for_later(after_s: float) -> None:
    raise RetryLater(after_s)


async def together(*coroutines: Any) -> None:
    async with asyncio.TaskGroup() as group:
        for each in coroutines:
            group.create_task(each)


async def cancel_itself() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def cancel_itself_and_raise() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    raise ValueError("cancelled, and raised")


async def exit_at_once() -> None:
    sys.exit(3)


MISBEHAVIOURS: dict[str, tuple[Callable[[], Any], str]] = {
    "a failed group": (
        lambda: together(fail("one"), fail("two")),
        "ExceptionGroup: ValueError: one; ValueError: two",
    ),
    "a group in a group": (
        lambda: together(together(fail("one")), fail("two")),
        "ExceptionGroup: ValueError: two; ValueError: one",
    ),
    "later in one task and a failure in another": (
        lambda: together(ask_for_later(5), fail_at_once("one")),
        "ExceptionGroup: RetryLater: again in 5 s; ValueError: one",
    ),
    "GeneratorExit": (raiser(GeneratorExit()), "GeneratorExit"),
    "KeyboardInterrupt": (raiser(KeyboardInterrupt()), "KeyboardInterrupt"),
    "CancelledError": (raiser(asyncio.CancelledError()), "CancelledError"),
    "StopIteration": (raiser(StopIteration(1)), "StopIteration: 1"),
    "StopAsyncIteration": (raiser(StopAsyncIteration()), "StopAsyncIteration"),
    "an exit": (exit_at_once, "SystemExit: 3"),
    "it cancels its own task": (cancel_itself, "CancelledError"),
    "it cancels its own task and raises": (
        cancel_itself_and_raise,
        "CancelledError",
    ),
    "no text": (raiser(Unprintable()), "Unprintable: <no text: ZeroDivisionError>"),
    "half a surrogate": (raiser(ValueError("half \ud83d")), "ValueError: half \\ud83d"),
    "a key in its text": (raiser(ValueError(f"no {KEY}")), "ValueError: no sk_live_[hidden]"),
    "a port's own error": (raiser(Unavailable("x")), "Unavailable: x"),
    "no such flow": (
        raiser(MissingFlow("a", "b")),
        "MissingFlow: There is no a.py and no any_a.py in b.",
    ),
    "out of memory": (raiser(MemoryError()), "MemoryError"),
}

each_misbehaviour = pytest.mark.parametrize(
    ("misbehave", "shown"), MISBEHAVIOURS.values(), ids=MISBEHAVIOURS
)


def scripts(runner: Runner, misbehave: Callable[[], Any]) -> tuple[list[str], list[Any]]:
    """Use a response script that misbehaves only in the context `bad`.

    Return the request ids that it ran well, and the errors that the error script received.
    """
    ran: list[str] = []
    reported: list[Any] = []

    def response(data: Any, flow: Flow) -> Any:
        if flow.context_id == "bad":
            return misbehave()
        ran.append(flow.request_id)
        return None

    def error(parsed_error: Any, flow: Flow) -> None:
        reported.append(parsed_error)

    runner.with_scripts(response=response, error=error)
    return ran, reported


@each_misbehaviour
async def test_a_failed_run_is_logged_with_its_error_and_retried_at_once(
    runner: Runner, misbehave: Callable[[], Any], shown: str
) -> None:
    scripts(runner, misbehave)
    runner.put("pdr_1", "bad")
    await runner.drain()
    (raised,) = (line for event, line in runner.log.lines if event == "flow.raised")
    (retried,) = (line for event, line in runner.log.lines if event == "flow.retried")
    assert raised["error"] == retried["why"] == shown
    assert retried["run_ms"] == 0
    assert KEY not in repr(runner.log.lines)


@each_misbehaviour
async def test_a_failed_run_holds_up_no_other_context(
    runner: Runner, misbehave: Callable[[], Any], shown: str
) -> None:
    ran, _ = scripts(runner, misbehave)
    runner.put("pdr_bad", "bad")
    for number in range(3):
        runner.put(f"pdr_{number}", "good")
    await runner.drain()
    assert ran == ["pdr_0", "pdr_1", "pdr_2"]
    assert runner.waiting == ["pdr_bad"]


@each_misbehaviour
async def test_the_error_script_receives_the_text_of_the_exception(
    runner: Runner, misbehave: Callable[[], Any], shown: str
) -> None:
    _, reported = scripts(runner, misbehave)
    runner.put("pdr_1", "bad")
    await runner.drain_until_quiet()
    (error,) = reported
    assert (error.kind, error.code) == (ErrorKind.DISPATCHER, "flow_failed")
    assert error.certainty is Certainty.UNKNOWN
    assert str(error).endswith(f"failed 3 times. The last: {shown}")
    assert runner.dead == [entry(context_id="bad")]


async def test_an_exception_group_of_only_retry_later_postpones_the_run(runner: Runner) -> None:
    scripts(runner, lambda: together(ask_for_later(5), together(ask_for_later(60))))
    runner.put("pdr_1", "bad")
    await runner.drain()
    ((event, line),) = runner.log.lines
    assert (event, line["after_s"]) == ("flow.postponed", 60)


async def test_a_script_that_suppresses_its_cancellation_is_abandoned(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stay() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    monkeypatch.setattr("paydispatch.testing.memory_scripts.CLEAN_UP_S", 0.01)
    runner.policy = FlowPolicy(timeout_s=0.01, retry=Retry(attempts=3))
    ran, _ = scripts(runner, stay)
    runner.put("pdr_bad", "bad")
    runner.put("pdr_1", "good")
    drain = asyncio.create_task(runner.drain())
    await asyncio.wait(
        {drain}, timeout=10
    )  # not `timeout()`, because a cancelled drain waits for its runs
    assert drain.done()
    assert ran == ["pdr_1"]
    assert runner.waiting == ["pdr_bad"]


async def test_a_script_that_changes_its_arguments_changes_no_entry(runner: Runner) -> None:
    reported: list[Any] = []

    def response(data: Any, flow: Flow) -> None:
        data["made up"] = object()  # no JSON can hold it
        flow.params["amount"] = object()  # type: ignore[index]
        raise ValueError("broken")

    def error(parsed_error: Any, flow: Flow) -> None:
        reported.append(flow.params)

    runner.with_scripts(response=response, error=error)
    runner.put()
    await runner.drain_until_quiet()
    assert [dead_entry.as_json() for dead_entry in runner.dead] == [entry().as_json()]
    assert reported == [entry().params]


async def test_cancelling_the_runner_is_no_failure_of_its_script(runner: Runner) -> None:
    begun = asyncio.Event()

    async def stay() -> None:
        begun.set()
        await asyncio.Event().wait()

    scripts(runner, stay)
    runner.put("pdr_1", "bad")
    draining = asyncio.create_task(runner.runner.drain("worker-1"))
    await begun.wait()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    assert runner.log.lines == []
    assert runner.waiting == ["pdr_1"]


async def test_a_fault_in_paydispatch_ends_one_context_and_is_logged(runner: Runner) -> None:
    ran, _ = scripts(runner, lambda: None)

    class Faulty(MemoryInbox):
        async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
            if turn.entry.context_id == "bad":
                raise ZeroDivisionError
            return await super().finish(turn, take_next=take_next)

    runner.inbox = Faulty(runner.clock)
    ran, _ = scripts(runner, lambda: None)
    runner.put("pdr_bad", "bad")
    runner.put("pdr_1", "good")
    await runner.drain()
    assert ran == ["pdr_1"]
    assert runner.waiting == ["pdr_bad"]
    assert "flow.fault" in runner.log.events()


class SlowScripts(MemoryScripts):
    """Scripts with an import that lasts until `may_load` is set."""

    def __init__(self, **named: Callable[[Any, Flow], Any]) -> None:
        super().__init__(**named)
        self.importing = asyncio.Event()
        self.may_load = asyncio.Event()

    def is_loaded(self, name: str) -> bool:
        return self.may_load.is_set()

    async def load(self, name: str) -> None:
        self.importing.set()
        await self.may_load.wait()
        await super().load(name)


class Importing:
    """A runner that imports the script of `pdr_1`."""

    def __init__(self, runner: Runner) -> None:
        self.ran: list[Flow] = []
        self.scripts = SlowScripts(
            new_create_payment_intent_response=lambda _, flow: self.ran.append(flow)
        )
        self.world = runner
        ports = FlowPorts(
            inbox=runner.inbox,
            scripts=self.scripts,
            queue=runner.queue,
            clock=runner.clock,
            log=runner.log,
            fraction=lambda: 0.5,
            queue_tenant="local",
        )
        self.runner = FlowRunner(ports, runner.policy)
        runner.put()
        self._draining = asyncio.create_task(self.runner.drain("worker-1"))

    async def begin(self) -> Importing:
        async with asyncio.timeout(10):
            await self.scripts.importing.wait()
        return self

    async def end(self) -> int:
        async with asyncio.timeout(10):
            return await self._draining


async def test_a_long_import_does_not_use_up_the_lease_of_the_run(runner: Runner) -> None:
    runner.inbox = MemoryInbox(runner.clock, lease_s=10.0)
    importing = await Importing(runner).begin()
    runner.clock.advance(25)  # longer than the lease of a run
    assert await runner.inbox.take_abandoned("worker-1", at_most=5) == []
    importing.scripts.may_load.set()
    assert await importing.end() == 1
    assert [flow.attempt for flow in importing.ran] == [1]
    assert not runner.waiting


async def test_an_entry_claimed_by_another_runner_during_the_import_does_not_run_here(
    runner: Runner,
) -> None:
    importing = await Importing(runner).begin()
    runner.clock.advance(1_000)
    (turn,) = await runner.inbox.take_abandoned("worker-1", at_most=5)
    importing.scripts.may_load.set()
    await importing.end()
    assert importing.ran == []
    assert turn.attempt == 2
    assert await runner.inbox.renew(turn, 1)


class FailingRenewals(MemoryInbox):
    """An inbox that cannot renew a lease the first two times."""

    away_for = 2

    async def renew(self, turn: Turn, for_s: float) -> bool:
        self.away_for -= 1
        if self.away_for >= 0:
            raise Unavailable("Redis is unavailable")
        return await super().renew(turn, for_s)


async def test_a_short_outage_of_redis_before_an_import_costs_no_attempt(runner: Runner) -> None:
    runner.inbox = FailingRenewals(runner.clock, lease_s=10.0)
    importing = await Importing(runner).begin()
    importing.scripts.may_load.set()
    assert await importing.end() == 1
    assert [flow.attempt for flow in importing.ran] == [1]
    assert not runner.waiting


async def test_a_runner_that_stops_does_not_wait_for_an_import(runner: Runner) -> None:
    importing = await Importing(runner).begin()
    importing.runner.stop()
    await importing.end()
    assert importing.ran == []
    (turn,) = await runner.inbox.take_abandoned("worker-1", at_most=5)
    assert turn.attempt == 2  # it counts, so a script that hangs in every import is dead in the end


async def test_no_more_contexts_of_all_workers_run_at_once_than_allowed(runner: Runner) -> None:
    running, most = 0, 0

    async def response(data: Any, flow: Flow) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    runner.policy = FlowPolicy(side_by_side=3, altogether=4)
    runner.with_scripts(response=response)
    workers = [f"worker-{number}" for number in range(5)]
    for worker_id in workers:
        for number in range(6):
            runner.put(f"{worker_id}-{number}", f"context-{number}", worker_id=worker_id)
    drains: list[Awaitable[int]] = [runner.runner.drain(worker_id) for worker_id in workers]
    async with asyncio.timeout(20):
        assert sum(await asyncio.gather(*drains)) == 30
    assert most <= 6  # a read does not know how many places the other workers take
    assert not runner.waiting
