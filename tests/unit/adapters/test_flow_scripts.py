"""Flows as files in a folder."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import NOW_S, entry

from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.domain.errors import MissingFlow
from paydispatch.flow import Flow, RetryLater

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "new_create_coupon_response"


class Folder:
    """A flows folder; scripts leave marks in the dict they are run with."""

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


async def test_a_plain_script_runs_beside_the_event_loop(folder: Folder) -> None:
    folder.write(
        "import threading\n"
        "def run(marks, flow):\n"
        "    marks[flow.request_id] = threading.get_ident()\n"
    )
    marks = await folder.run()
    assert marks["pdr_1"] != threading.get_ident()


async def test_an_async_script_runs_in_the_event_loop(folder: Folder) -> None:
    folder.write(
        "import asyncio\n"
        "async def run(marks, flow):\n"
        "    await asyncio.sleep(0)\n"
        "    marks['loop'] = asyncio.get_running_loop()\n"
    )
    assert (await folder.run())["loop"] is asyncio.get_running_loop()


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


async def test_a_script_may_import_what_lies_beside_it(folder: Folder) -> None:
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
async def test_what_is_not_there_or_no_flows_name_is_missing(folder: Folder, name: str) -> None:
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


@pytest.mark.parametrize("text", ["def run(:", "import no_such_module_anywhere", "1 / 0", "x = 1"])
async def test_a_script_that_cannot_be_imported_fails_and_is_tried_again(
    folder: Folder, text: str
) -> None:
    folder.write(text)
    with pytest.raises((SyntaxError, ImportError, ZeroDivisionError, AttributeError)):
        await folder.run()
    folder.write("def run(marks, flow):\n    marks['repaired and longer'] = True\n")
    assert (await folder.run()) == {"repaired and longer": True}


@pytest.mark.parametrize("kind", ["", "async "])
async def test_what_a_script_raises_comes_out_as_it_is(folder: Folder, kind: str) -> None:
    folder.write(
        "from paydispatch.flow import RetryLater\n"
        f"{kind}def run(marks, flow):\n    raise RetryLater(after_s=7)\n"
    )
    with pytest.raises(RetryLater) as raised:
        await folder.run()
    assert raised.value.after_s == 7


@pytest.mark.parametrize("how", ["sys.exit(3)", "raise KeyboardInterrupt", "raise StopIteration"])
async def test_what_would_end_a_program_is_a_scripts_failure(folder: Folder, how: str) -> None:
    folder.write(f"import sys\ndef run(marks, flow):\n    {how}\n")
    with pytest.raises(RuntimeError, match=r"SystemExit: 3|KeyboardInterrupt|StopIteration"):
        await folder.run()


async def test_a_script_that_hangs_takes_no_place_from_the_next(folder: Folder) -> None:
    folder.write("def run(marks, flow):\n    marks['go on'].wait(10)\n")
    folder.write("def run(marks, flow):\n    marks['ran'] = True\n", "new_create_coupon_error")
    folder.marks["go on"] = threading.Event()
    hanging = asyncio.create_task(folder.run())
    await asyncio.sleep(0)
    assert (await folder.run("new_create_coupon_error"))["ran"]
    assert not hanging.done()
    folder.marks["go on"].set()
    await hanging
