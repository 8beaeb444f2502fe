"""Flows as files in a folder."""

from __future__ import annotations

import asyncio
import logging
import os
import py_compile
import re
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import NOW_S, entry

from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.domain.errors import MissingFlow, ScriptFailed
from paydispatch.flow import Flow, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "new_create_coupon_response"
OTHER = "new_create_coupon_error"


class Folder:
    """A flows folder. Its scripts write marks into the dict that they are run with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.flows = FlowFolder(path)
        self.marks: dict[str, Any] = {}

    def write(self, text: str, name: str = NAME) -> None:
        (self.path / f"{name}.py").write_text(text)

    async def run(self, name: str = NAME) -> dict[str, Any]:
        flow = Flow(entry(), attempt=1, now_s=NOW_S)
        async with asyncio.timeout(10):
            await self.flows.run(name, self.marks, flow)
        return self.marks


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    path, modules = list(sys.path), set(sys.modules)
    yield Folder(tmp_path)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


async def test_a_plain_script_runs_outside_the_thread_of_the_event_loop(folder: Folder) -> None:
    folder.write(
        "import threading\n"
        "def run(marks, flow):\n"
        "    marks[flow.request_id] = threading.get_ident()\n"
    )
    marks = await folder.run()
    assert marks["pdr_1"] != threading.get_ident()


async def test_an_async_script_runs_in_an_event_loop_and_a_thread_of_its_own(
    folder: Folder,
) -> None:
    folder.write(
        "import asyncio, threading\n"
        "async def run(marks, flow):\n"
        "    await asyncio.sleep(0)\n"
        "    marks.setdefault('loops', []).append(asyncio.get_running_loop())\n"
        "    marks['thread'] = threading.get_ident()\n"
    )
    await folder.run()
    marks = await folder.run()
    first, second = marks["loops"]
    assert len({first, second, asyncio.get_running_loop()}) == 3
    assert marks["thread"] != threading.get_ident()


async def test_an_async_script_that_blocks_holds_up_nothing_else(folder: Folder) -> None:
    folder.write("async def run(marks, flow):\n    marks['go on'].wait(10)\n")
    folder.write("async def run(marks, flow):\n    marks['ran'] = True\n", OTHER)
    folder.marks["go on"] = threading.Event()
    blocking = asyncio.create_task(folder.run())
    await asyncio.sleep(0)
    assert (await folder.run(OTHER))["ran"]
    folder.marks["go on"].set()
    await blocking


async def test_context_variables_of_one_run_are_not_seen_by_the_next(folder: Folder) -> None:
    folder.write(
        "import decimal, threading\n"
        "def run(marks, flow):\n"
        "    marks['runs'].append((threading.get_ident(), decimal.getcontext().prec))\n"
        "    decimal.getcontext().prec = 2\n"
    )
    runs = folder.marks["runs"] = []
    while len({thread for thread, _ in runs}) == len(runs):  # until a thread is used again
        await folder.run()
    assert len({digits for _, digits in runs}) == 1


async def test_a_plain_function_that_returns_a_coroutine_has_it_awaited(folder: Folder) -> None:
    folder.write(
        "async def later(marks):\n"
        "    marks['awaited'] = True\n"
        "def run(marks, flow):\n"
        "    return later(marks)\n"
    )
    assert (await folder.run()) == {"awaited": True}


async def test_a_script_is_imported_once(folder: Folder) -> None:
    folder.write(
        "runs = []\ndef run(marks, flow):\n    runs.append(1)\n    marks['n'] = len(runs)\n"
    )
    await folder.run()
    assert (await folder.run()) == {"n": 2}


WAITS = """
import threading
from my_signals import begun, release
begun.set()
release.wait(10)
def run(marks, flow):
    marks['ran'] = True
"""


@pytest.fixture
def signals() -> Iterator[Any]:
    """A module with the events `begun` and `release`, for a script that waits while it is imported."""
    module: Any = ModuleType("my_signals")
    module.begun, module.release = threading.Event(), threading.Event()
    sys.modules["my_signals"] = module
    yield module
    module.release.set()
    del sys.modules["my_signals"]


async def test_an_import_holds_up_nothing_else(folder: Folder, signals: Any) -> None:
    folder.write(WAITS)
    folder.write("def run(marks, flow):\n    marks['other'] = True\n", OTHER)
    importing = asyncio.create_task(folder.run())
    assert await asyncio.to_thread(signals.begun.wait, 10)
    assert (await folder.run(OTHER)) == {"other": True}
    assert not importing.done()
    signals.release.set()
    assert (await importing)["ran"]


async def test_runs_that_need_the_same_module_wait_for_one_import(
    folder: Folder, signals: Any
) -> None:
    folder.write(f"{WAITS}\nimport my_signals\nmy_signals.imports = 1 + my_signals.imports\n")
    signals.imports = 0
    runs = [asyncio.create_task(folder.run()) for _ in range(5)]
    assert await asyncio.to_thread(signals.begun.wait, 10)
    signals.release.set()
    await asyncio.gather(*runs)
    assert signals.imports == 1


async def test_a_run_fails_while_the_import_of_its_script_takes_too_long(
    folder: Folder, signals: Any
) -> None:
    folder.flows = FlowFolder(folder.path, import_timeout_s=0.05)
    folder.write(WAITS)
    for _ in range(2):
        with pytest.raises(ScriptFailed, match=r"import did not end within 0\.05 s"):
            await folder.run()
    ended = folder.flows._imports[NAME].ended
    signals.release.set()
    await asyncio.to_thread(ended.result, 10)
    assert (await folder.run())["ran"]


async def test_cancelling_a_run_does_not_cancel_the_import_for_the_others(
    folder: Folder, signals: Any
) -> None:
    folder.write(WAITS)
    cancelled, other = (asyncio.create_task(folder.run()) for _ in range(2))
    assert await asyncio.to_thread(signals.begun.wait, 10)
    cancelled.cancel()
    signals.release.set()
    assert (await other)["ran"]
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_script_may_import_a_module_of_its_folder(folder: Folder) -> None:
    folder.write("word = 'tea'\n", "beside_this_flow")
    folder.write("import beside_this_flow\ndef run(marks, flow):\n"
                 "    marks['word'] = beside_this_flow.word\n")  # fmt: skip
    assert (await folder.run()) == {"word": "tea"}


@pytest.mark.parametrize(
    "name",
    [
        "new_create_coupon_error",
        "../secrets",
        "os",
        "new_create_../x_response",
        "new_create__response",
        "new_create_Coupon_response",
        "",
    ],
)
async def test_a_name_without_a_file_or_of_no_flow_is_missing(folder: Folder, name: str) -> None:
    folder.write("def run(marks, flow): ...")
    with pytest.raises(MissingFlow):
        await folder.run(name)


@pytest.mark.parametrize("name", ["helper", "below/new_create_coupon_response"])
async def test_a_file_that_is_no_flow_is_not_run_as_one(folder: Folder, name: str) -> None:
    (folder.path / "below").mkdir()
    folder.write("def run(marks, flow):\n    marks['ran'] = True\n", name)
    with pytest.raises(MissingFlow):
        await folder.run(name)


async def test_a_script_that_appears_later_is_found(folder: Folder) -> None:
    with pytest.raises(MissingFlow):
        await folder.run()
    folder.write("def run(marks, flow):\n    marks['ran'] = True\n")
    assert (await folder.run()) == {"ran": True}


FAILING_MODULES = {
    "def run(:": "SyntaxError: ",
    "import no_such_module_anywhere": "ModuleNotFoundError: No module named",
    "1 / 0": "ZeroDivisionError: division by zero",
    "x = 1": "has no function `run`",
    "run = 1": "has no function `run`",
    "import sys; sys.exit(3)": "SystemExit: 3",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "def __getattr__(name): raise ZeroDivisionError": "ZeroDivisionError",
    "from paydispatch.domain.errors import MissingFlow; raise MissingFlow('a', 'b')": "MissingFlow:",
    "def run(marks, flow): yield": "run is a generator",
    "async def run(marks, flow): yield": "run is a generator",
    "from functools import partial\ndef f(x, marks, flow): yield\nrun = partial(f, 1)": "generator",
    "class F:\n    def __call__(self, marks, flow): yield\nrun = F()": "run is a generator",
}


@pytest.mark.parametrize("text", FAILING_MODULES)
async def test_a_script_that_cannot_be_imported_fails_and_is_imported_again(
    folder: Folder, text: str
) -> None:
    folder.write(text)
    with pytest.raises(ScriptFailed, match=re.escape(FAILING_MODULES[text])):
        await folder.run()
    folder.write(f"def run(marks, flow):\n    marks['repaired'] = True\n{'#' * len(text)}\n")
    assert (await folder.run()) == {"repaired": True}


FAILING_RUNS = {
    "def run(marks, flow): sys.exit(3)": "SystemExit: 3",
    "def run(marks, flow): raise KeyboardInterrupt": "KeyboardInterrupt",
    "def run(marks, flow): raise GeneratorExit": "GeneratorExit",
    "def run(marks, flow): raise StopIteration": "StopIteration",
    "def run(marks, flow): raise StopAsyncIteration": "StopAsyncIteration",
    "def run(marks, flow): raise asyncio.CancelledError": "CancelledError",
    "def run(marks, flow): raise MemoryError": "MemoryError",
    "def run(marks, flow): run(marks, flow)": "RecursionError: maximum recursion depth exceeded",
    "def run(marks, flow): raise MissingFlow('a', 'b')": "MissingFlow: There is no a.py",
    "def run(marks, flow): raise Unavailable('x')": "Unavailable: x",
    "def run(marks, flow): raise Unprintable": "Unprintable: <no text: ZeroDivisionError>",
    "def run(marks, flow): raise ValueError('half \\ud83d')": "ValueError: half",
    "def run(marks, flow): return (each for each in [])": "returned a generator",
    "def run(marks, flow): return never_run()": "returned a generator",
    "def run(marks, flow): r = asyncio.Runner(); f = r.get_loop().create_future(); r.close(); return f": (
        "RuntimeError: Task"
    ),
    "async def run(marks, flow): sys.exit(3)": "SystemExit: 3",
    "async def run(marks, flow): raise KeyboardInterrupt": "KeyboardInterrupt",
    "async def run(marks, flow): raise GeneratorExit": "GeneratorExit",
    "async def run(marks, flow): raise StopIteration": "coroutine raised StopIteration",
    "async def run(marks, flow): raise StopAsyncIteration": "StopAsyncIteration",
    "async def run(marks, flow): raise asyncio.CancelledError": "CancelledError",
    "async def run(marks, flow): await run(marks, flow)": "RecursionError",
    "async def run(marks, flow): await together(fail('one'), fail('two'))": (
        "ExceptionGroup: ValueError: one; ValueError: two"
    ),
    "async def run(marks, flow): await together(fail('one'), stay())": "ExceptionGroup: ValueError",
    "async def run(marks, flow): await together(close(), close())": "BaseExceptionGroup: Gen",
    "async def run(marks, flow): await together(leave(), stay())": "SystemExit: 3",
    "async def run(marks, flow): await together(interrupt(), stay())": "KeyboardInterrupt",
    "async def run(marks, flow): task = asyncio.create_task(leave()); await stay()": "SystemExit: 3",
    "async def run(marks, flow): await together(later(5), fail_now('one'))": (
        "ExceptionGroup: RetryLater: again in 5 s; ValueError: one"
    ),
    "async def run(marks, flow): asyncio.current_task().cancel(); await stay()": "CancelledError",
    "async def run(marks, flow): asyncio.current_task().cancel(); raise ValueError('last')": (
        "ValueError: last"
    ),
    "async def run(marks, flow): asyncio.current_task().cancel()": "CancelledError",
    "async def run(marks, flow): await asyncio.gather(cancel_all(), stay())": "CancelledError",
    "async def run(marks, flow): asyncio.get_running_loop().stop(); await stay()": "loop stopped",
    "async def run(marks, flow): asyncio.get_running_loop().call_soon(sys.exit); await stay()": (
        "SystemExit"
    ),
    "async def run(marks, flow): await asyncio.wait_for(stay(), 0.001)": "TimeoutError",
}

KINDS = """
import asyncio, sys
from paydispatch.domain.errors import MissingFlow, Unavailable
from paydispatch.flow import RetryLater

class Unprintable(Exception):
    def __str__(self): 1 / 0
    __repr__ = __str__

async def together(*coroutines):
    async with asyncio.TaskGroup() as group:
        for each in coroutines:
            group.create_task(each)

async def fail(text): await asyncio.sleep(0); raise ValueError(text)
async def fail_now(text): raise ValueError(text)
async def later(after_s): raise RetryLater(after_s)
async def leave(): await asyncio.sleep(0); sys.exit(3)
async def interrupt(): raise KeyboardInterrupt
async def close(): raise GeneratorExit
async def stay(): await asyncio.Event().wait()
async def cancel_all(): [each.cancel() for each in asyncio.all_tasks()]
async def never_run(): yield
"""


@pytest.mark.parametrize("text", FAILING_RUNS)
async def test_every_exception_of_a_script_is_its_own_failure(folder: Folder, text: str) -> None:
    folder.write(f"{KINDS}\n{text}\n")
    folder.write("async def run(marks, flow):\n    marks['ran'] = True\n", OTHER)
    with pytest.raises(ScriptFailed, match=re.escape(FAILING_RUNS[text])):
        await folder.run()
    assert (await folder.run(OTHER))["ran"]


@pytest.mark.parametrize(
    "text",
    [
        "def run(marks, flow): raise RetryLater(7)",
        "async def run(marks, flow): raise RetryLater(7)",
        "async def run(marks, flow): await together(later(5), later(7))",
        "async def run(marks, flow): await together(together(later(7)), stay())",
    ],
)
async def test_any_task_of_a_script_may_raise_retry_later(folder: Folder, text: str) -> None:
    folder.write(f"{KINDS}\n{text}\n")
    with pytest.raises(RetryLater) as raised:
        await folder.run()
    assert raised.value.after_s == 7


async def test_tasks_that_a_script_leaves_running_are_cancelled_when_it_returns(
    folder: Folder,
) -> None:
    folder.write(
        "import asyncio\n"
        "async def left(marks):\n"
        "    try:\n"
        "        await asyncio.Event().wait()\n"
        "    finally:\n"
        "        marks['cancelled'].set()\n"
        "async def run(marks, flow):\n"
        "    marks['task'] = asyncio.create_task(left(marks))\n"
        "    await asyncio.sleep(0)\n"
    )
    folder.marks["cancelled"] = threading.Event()
    await folder.run()
    assert await asyncio.to_thread(folder.marks["cancelled"].wait, 10)


async def test_a_task_that_is_left_behind_and_exits_does_not_end_its_thread(
    folder: Folder,
) -> None:
    folder.write(
        "import asyncio, sys\n"
        "async def left(marks):\n"
        "    try:\n"
        "        await asyncio.Event().wait()\n"
        "    finally:\n"
        "        marks['ended'].release()\n"
        "        sys.exit(3)\n"
        "async def run(marks, flow):\n"
        "    marks['tasks'].append(asyncio.create_task(left(marks)))\n"
        "    await asyncio.sleep(0)\n"
        "    marks['runs'] = marks.get('runs', 0) + 1\n"
    )
    # An event loop holds no reference to its tasks, so the test holds them until they have ended.
    folder.marks["tasks"], folder.marks["ended"] = [], threading.Semaphore(0)
    for _ in range(5):
        await folder.run()
    for _ in range(5):
        assert await asyncio.to_thread(folder.marks["ended"].acquire, timeout=10)
    assert folder.marks["runs"] == 5


async def test_the_exception_of_a_task_that_no_code_awaits_is_logged_without_a_key(
    folder: Folder, caplog: pytest.LogCaptureFixture
) -> None:
    key = "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc"
    folder.write(
        "import asyncio, gc\n"
        f"async def left(): raise ValueError('{key}')\n"
        "async def run(marks, flow):\n"
        "    task = asyncio.create_task(left())\n"
        "    await asyncio.sleep(0)\n"
        "    del task\n"
        "    gc.collect()\n"
    )
    with caplog.at_level(logging.WARNING, "paydispatch.flows"):
        await folder.run()
    assert "a task of the flow raised: ValueError: sk_live_[hidden]" in caplog.text
    assert key not in caplog.text


async def test_a_cancelled_coroutine_cleans_up_before_its_run_ends(
    folder: Folder,
) -> None:
    folder.write(
        "import asyncio\n"
        "async def run(marks, flow):\n"
        "    marks['begun'].set()\n"
        "    try:\n"
        "        await asyncio.Event().wait()\n"
        "    finally:\n"
        "        await asyncio.sleep(0)\n"
        "        marks['cleaned up'] = True\n"
    )
    folder.marks["begun"] = threading.Event()
    running = asyncio.create_task(folder.run())
    assert await asyncio.to_thread(folder.marks["begun"].wait, 10)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert folder.marks["cleaned up"]


async def test_a_script_that_hangs_does_not_block_the_next(folder: Folder) -> None:
    folder.write("def run(marks, flow):\n    marks['go on'].wait(10)\n")
    folder.write("def run(marks, flow):\n    marks['ran'] = True\n", OTHER)
    folder.marks["go on"] = threading.Event()
    hanging = asyncio.create_task(folder.run())
    await asyncio.sleep(0)
    assert (await folder.run(OTHER))["ran"]
    assert not hanging.done()
    folder.marks["go on"].set()
    await hanging


async def test_a_script_that_cannot_be_imported_counts_as_there(folder: Folder) -> None:
    folder.write("raise ValueError('broken')\n")
    assert folder.flows.has(NAME)
    with pytest.raises(ScriptFailed):
        await folder.run()
    assert folder.flows.has(NAME)


@pytest.mark.parametrize("name", ["any_response", "any_error", "new_capture_payment_intent_error"])
async def test_scripts_for_any_operation_and_for_other_ones_than_creates_are_found(
    folder: Folder, name: str
) -> None:
    assert not folder.flows.has(name)
    folder.write("def run(marks, flow):\n    marks['ran'] = __name__\n", name)
    assert (await folder.run(name))["ran"].endswith(f".{name}")


@pytest.mark.parametrize("name", ["helper", "any", "../any_response", "any_response.py", "new__x"])
def test_a_file_of_another_name_is_no_script(folder: Folder, name: str) -> None:
    folder.write("", name.replace("../", ""))
    assert not folder.flows.has(name)


async def test_a_script_may_be_compiled(folder: Folder) -> None:
    folder.write("def run(marks, flow):\n    marks['ran'] = True\n", "source")
    py_compile.compile(str(folder.path / "source.py"), str(folder.path / f"{NAME}.pyc"))
    assert folder.flows.has(NAME)
    assert (await folder.run())["ran"]


async def test_a_folder_that_is_no_package_is_no_script(folder: Folder) -> None:
    (folder.path / NAME).mkdir()
    (folder.path / f"{OTHER}.py").mkdir()
    assert not folder.flows.has(NAME)
    assert not folder.flows.has(OTHER)


async def test_a_script_that_cannot_be_looked_at_counts_as_there_and_fails(folder: Folder) -> None:
    (folder.path / f"{NAME}.py").symlink_to(f"{NAME}.py")
    assert folder.flows.has(NAME)
    with pytest.raises(ScriptFailed, match="No module named"):
        await folder.run()


def open_files() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208


async def test_async_scripts_that_never_wait_share_the_descriptors_of_their_thread(
    folder: Folder,
) -> None:
    folder.write(
        "import asyncio\n"
        "async def run(marks, flow):\n"
        "    marks.setdefault('loops', []).append(asyncio.get_running_loop())\n"
    )
    await folder.run()
    before = open_files()
    for _ in range(50):
        await folder.run()
    assert open_files() < before + 50  # a busy machine may have used a second thread
    loops = folder.marks["loops"]
    assert len({id(loop) for loop in loops}) == 51
    assert all(loop.is_closed() for loop in loops[:-1])


async def test_a_socket_that_a_script_leaves_open_disturbs_no_later_run(folder: Folder) -> None:
    folder.write(
        "import asyncio, socket\n"
        "async def run(marks, flow):\n"
        "    one, other = socket.socketpair()\n"
        "    one.setblocking(False)\n"
        "    marks['kept'].append((one, other))\n"
        "    asyncio.get_running_loop().add_reader(one, marks['read'].append, 1)\n"
        "    other.send(b'x')\n"
    )
    folder.write(
        "import asyncio\n"
        "async def run(marks, flow):\n"
        "    await asyncio.sleep(0.01)\n"
        "    marks['ran'] = True\n",
        OTHER,
    )
    folder.marks.update(kept=[], read=[])
    for _ in range(3):
        await folder.run()
        folder.marks["read"].clear()
        await folder.run(OTHER)
        assert folder.marks["read"] == []
    for pair in folder.marks["kept"]:
        for end in pair:
            end.close()


async def test_a_late_call_from_another_thread_reaches_no_later_run(folder: Folder) -> None:
    folder.write(
        "import asyncio\n"
        "async def run(marks, flow):\n"
        "    marks['loop'] = asyncio.get_running_loop()\n"
    )
    await folder.run()
    first = folder.marks["loop"]
    await folder.run()
    with pytest.raises(RuntimeError, match="closed"):
        first.call_soon_threadsafe(print)
