"""The flows folder is a package, and Python finds its modules by their names."""

from __future__ import annotations

import asyncio
import importlib
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import NOW_S, entry

from paydispatch.adapters.flow_package import FlowPackage
from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.domain.errors import BadSetting
from paydispatch.domain.flow_checks.package_names import package_name
from paydispatch.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
NAME = "new_create_coupon_response"


@pytest.fixture(autouse=True)
def _restore_modules() -> Iterator[None]:
    path, finders, modules = list(sys.path), list(sys.meta_path), set(sys.modules)
    yield
    sys.path[:], sys.meta_path[:] = path, finders
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path, "my_flows")


def folder_of(parent: Path, name: str, **files: str) -> Path:
    path = parent / name
    path.mkdir(parents=True)
    for file, text in files.items():
        (path / f"{file}.py").write_text(text)
    return path


async def run(folder: Path, text: str = "", *, flows: FlowFolder | None = None) -> dict[str, Any]:
    """Run a script with this text. Return the marks that it leaves."""
    if text:
        (folder / f"{NAME}.py").write_text(text)
    marks: dict[str, Any] = {}
    async with asyncio.timeout(10):
        flow = Flow(entry(), attempt=1, now_s=NOW_S)
        await (flows or FlowFolder(folder)).run(NAME, marks, flow)
    return marks


async def test_a_dataclass_under_postponed_annotations_works(folder: Path) -> None:
    text = (
        "from __future__ import annotations\n"
        "import typing\n"
        "from dataclasses import KW_ONLY, dataclass\n"
        "@dataclass\n"
        "class Order:\n"
        "    number: int\n"
        "    _: KW_ONLY\n"
        "    paid: bool = False\n"
        "def run(marks, flow):\n"
        "    marks['types'] = typing.get_type_hints(Order)['number']\n"
        "    marks['order'] = Order(7, paid=True).number\n"
    )
    assert await run(folder, text) == {"types": int, "order": 7}


async def test_an_object_of_a_class_in_a_script_can_be_pickled(folder: Path) -> None:
    text = (
        "import pickle\n"
        "class Order: number = 7\n"
        "def run(marks, flow):\n"
        "    marks['pickled'] = pickle.dumps(Order())\n"
    )
    pickled = (await run(folder, text))["pickled"]
    assert pickle.loads(pickled).number == 7  # noqa: S301 - this test made the pickle


@pytest.mark.parametrize(
    "imported",
    [
        "from my_flows.helper import word",
        "from .helper import word",
        "from . import helper; word = helper.word",
        "import my_flows.helper; word = my_flows.helper.word",
        "from helper import word",
    ],
)
@pytest.mark.parametrize("late", [True, False])
async def test_a_script_imports_a_module_of_its_folder(
    folder: Path, imported: str, late: bool
) -> None:
    (folder / "helper.py").write_text("word = 'tea'\n")
    above, inside = ("", imported) if late else (imported, "pass")
    text = f"{above}\ndef run(marks, flow):\n    {inside}\n    marks['word'] = word\n"
    assert await run(folder, text) == {"word": "tea"}


async def test_a_script_is_the_module_of_its_folder_and_name(folder: Path) -> None:
    text = "def run(marks, flow): marks['names'] = [__name__, __package__]"
    assert await run(folder, text) == {"names": [f"my_flows.{NAME}", "my_flows"]}
    assert sys.modules[f"my_flows.{NAME}"].__file__ == str(folder / f"{NAME}.py")


async def test_a_test_that_imports_a_script_gets_the_module_that_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / f"{NAME}.py").write_text("word = 'tea'\ndef run(marks, flow): marks['word'] = word")
    monkeypatch.syspath_prepend(str(folder.parent))
    mine: Any = importlib.import_module(f"my_flows.{NAME}")
    mine.word = "coffee"
    assert await run(folder) == {"word": "coffee"}


async def test_the_folders_own_init_is_run_once_and_first(folder: Path) -> None:
    (folder / "__init__.py").write_text("runs = ['init']\n")
    text = "from my_flows import runs\ndef run(marks, flow): marks['runs'] = runs"
    assert await run(folder, text) == {"runs": ["init"]}


async def test_another_folder_of_the_same_name_is_not_imported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_of(tmp_path / "elsewhere", "my_flows", **{NAME: "1 / 0", "helper": "word = 'wrong'"})
    (folder / "helper.py").write_text("word = 'tea'\n")
    monkeypatch.syspath_prepend(str(tmp_path / "elsewhere"))
    text = "from my_flows.helper import word\ndef run(marks, flow): marks['word'] = word"
    assert await run(folder, text) == {"word": "tea"}


async def test_the_name_belongs_to_the_folder_that_imported_last(
    folder: Path, tmp_path: Path
) -> None:
    text = "from my_flows.helper import word\ndef run(marks, flow): marks['word'] = word"
    other = folder_of(tmp_path / "elsewhere", "my_flows", **{NAME: text, "helper": "word = 2"})
    (folder / "helper.py").write_text("word = 1\n")
    first = FlowFolder(folder)
    assert await run(folder, text, flows=first) == {"word": 1}
    assert await run(other) == {"word": 2}
    assert await run(folder, flows=first) == {"word": 1}


@pytest.mark.parametrize(
    ("folder_name", "name"),
    [
        ("flows", "flows"),
        ("my-flows", "my_flows"),
        ("flows.v2", "flows_v2"),
        ("2flows", "_2flows"),
        ("class", "_class"),
        ("flöws", "flöws"),
    ],
)
async def test_a_folder_name_that_is_no_package_name_becomes_the_nearest_one(
    tmp_path: Path, folder_name: str, name: str
) -> None:
    folder = folder_of(tmp_path, folder_name)
    text = "def run(marks, flow): marks['package'] = __package__"
    assert package_name(folder_name) == name
    assert await run(folder, text) == {"package": name}


async def test_a_script_imports_the_modules_of_the_project(tmp_path: Path) -> None:
    """`db.py` lies beside the flows folder, as the programs of the project do."""
    (tmp_path / "db_of_the_project.py").write_text("word = 'tea'\n")
    text = "from db_of_the_project import word\ndef run(marks, flow): marks['word'] = word"
    assert await run(folder_of(tmp_path, "my_flows"), text) == {"word": "tea"}


@pytest.mark.parametrize("name", ["json", "pytest", "paydispatch", "__main__", "sys"])
def test_a_folder_with_the_name_of_another_package_is_refused(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path, name)
    with pytest.raises(BadSetting, match=rf"would be the package {name}, .* another name"):
        FlowPackage(folder)


def test_the_example_test_of_the_document_passes(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "flows.md").read_text("utf-8")
    (shown,) = (
        text for text in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def test_" in text
    )
    assert ".venv/bin/pytest test_flows.py" in page
    test = tmp_path / "test_flows.py"
    test.write_text(shown)
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test))
    ran = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout
