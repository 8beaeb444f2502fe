"""The threads that run scripts: quick ones share a thread, and one that blocks holds up nothing."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters import script_threads
from paydispatch.adapters.script_threads import ScriptThreads

if TYPE_CHECKING:
    from collections.abc import Callable


class Job:
    """Work that notes its thread, and may wait for an event."""

    def __init__(self, result: Any, wait_for: threading.Event | None = None) -> None:
        self._result = result
        self._wait_for = wait_for
        self.begun = threading.Event()
        self.told = threading.Event()
        self.thread = 0

    def do(self, tell: Callable[[Any], None]) -> None:
        self.thread = threading.get_ident()
        self.begun.set()
        if self._wait_for is not None:
            self._wait_for.wait(10)
        tell(self._result)
        self.told.set()


@pytest.fixture
def threads() -> ScriptThreads:
    return ScriptThreads()


async def results(threads: ScriptThreads, jobs: list[Job]) -> list[Any]:
    doings = [threads.start(job) for job in jobs]
    async with asyncio.timeout(10):
        return [await doing.done for doing in doings]


async def test_each_waiter_gets_the_result_of_its_own_work(threads: ScriptThreads) -> None:
    assert await results(threads, [Job(n) for n in range(200)]) == list(range(200))


async def test_work_that_blocks_holds_up_neither_the_results_before_nor_the_work_behind_it(
    threads: ScriptThreads,
) -> None:
    release = threading.Event()
    before, hung, behind = (
        [Job(n) for n in range(5)],
        Job("late", release),
        [Job(n) for n in (7, 8)],
    )
    doings = [threads.start(job) for job in (*before, hung, *behind)]
    async with asyncio.timeout(10):
        quick = [await doing.done for doing in (*doings[:5], *doings[6:])]
    assert quick == [0, 1, 2, 3, 4, 7, 8]
    assert not doings[5].done.done()
    release.set()
    assert await doings[5].done == "late"


async def test_results_that_their_thread_has_not_announced_are_found_while_the_next_work_hangs(
    threads: ScriptThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_threads, "TOGETHER_S", math.inf)
    monkeypatch.setattr(script_threads, "QUICK_S", math.inf)  # one thread runs them all
    begin, release = threading.Event(), threading.Event()
    jobs = [Job("first", begin), Job(1), Job(2), Job("hung", release)]
    doings = [threads.start(job) for job in jobs]
    begin.set()
    async with asyncio.timeout(10):
        assert [await doing.done for doing in doings[:3]] == ["first", 1, 2]
    release.set()
    await doings[3].done


async def test_as_much_work_as_blocks_runs_side_by_side(threads: ScriptThreads) -> None:
    release = threading.Event()
    jobs = [Job(n, release) for n in range(40)]
    doings = [threads.start(job) for job in jobs]
    for job in jobs:
        assert await asyncio.to_thread(job.begun.wait, 10)
    assert len({job.thread for job in jobs}) == 40
    release.set()
    assert [await doing.done for doing in doings] == list(range(40))


async def test_hung_work_leaves_the_threads_to_the_work_after_it(threads: ScriptThreads) -> None:
    never = threading.Event()
    for _ in range(5):
        hung = Job("hung", never)
        threads.start(hung)
        assert await asyncio.to_thread(hung.begun.wait, 10)
        assert await results(threads, [Job(n) for n in range(20)]) == list(range(20))
    never.set()


async def test_a_result_that_no_task_waits_for_any_more_disturbs_no_other(
    threads: ScriptThreads,
) -> None:
    release = threading.Event()
    left = threads.start(Job("left", release))
    left.done.cancel()
    release.set()
    assert await results(threads, [Job("other")]) == ["other"]


@pytest.mark.parametrize("closed", ["before", "after", "never"])
def test_a_result_for_an_event_loop_that_ended_holds_up_no_result_of_the_next(
    threads: ScriptThreads, closed: str
) -> None:
    async def start(job: Job) -> None:
        threads.start(job)

    release = threading.Event()
    left = Job("left", release)
    ended = asyncio.new_event_loop()
    ended.run_until_complete(start(left))
    if closed == "before":
        ended.close()
    release.set()
    assert left.told.wait(10)
    if closed == "after":
        ended.close()

    assert asyncio.run(results(threads, [Job(1), Job(2)])) == [1, 2]
    ended.close()


async def test_idle_threads_are_used_again(threads: ScriptThreads) -> None:
    used = set()
    for n in range(20):
        job = Job(n)
        assert await results(threads, [job]) == [n]
        used.add(job.thread)
    assert len(used) < 20


async def test_work_waits_for_a_thread_that_runs_when_no_more_can_be_started(
    threads: ScriptThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    blocking = Job("first", release)
    first = threads.start(blocking)
    assert await asyncio.to_thread(blocking.begun.wait, 10)

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        behind = [threads.start(Job(n)) for n in range(3)]
        await asyncio.sleep(0.01)  # some ticks
    release.set()
    async with asyncio.timeout(10):
        assert [await doing.done for doing in (first, *behind)] == ["first", 0, 1, 2]


async def test_work_without_any_thread_raises(
    threads: ScriptThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        with pytest.raises(RuntimeError, match="new thread"):
            threads.start(Job("never"))
    assert await results(threads, [Job("later")]) == ["later"]
