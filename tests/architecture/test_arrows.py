"""The contracts of import-linter, and similar rules that import-linter cannot express."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import grimp
import pytest

from paydispatch import ports, testing
from paydispatch.sdk import delivery

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FUNCTIONS = ROOT / "functions"
MODULES = sorted(path for path in FUNCTIONS.rglob("*.py") if "__pycache__" not in path.parts)
FLOWS = sorted((ROOT / "flows").glob("*.py"))
PYTHON_EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return path.relative_to(FUNCTIONS).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """Yield every module that the code imports anywhere, with the import statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield ("." * node.level + (node.module or ""), node)


def test_the_import_contracts_hold() -> None:
    command = (str(Path(sys.executable).with_name("lint-imports")), "--no-logo")
    run = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120
    )

    assert run.returncode == 0, run.stdout


def test_no_module_imports_itself_indirectly() -> None:
    """Imports for the type checker count as well, because a reader follows them too."""
    graph = grimp.build_graph("paydispatch", exclude_type_checking_imports=False)
    imports_of = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}

    assert len(list(TopologicalSorter(imports_of).static_order())) == len(imports_of)


def flows_of_the_documents() -> dict[str, str]:
    """Return the Python examples of the documents that hold a flow, by page and number."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return {
        f"{page.name} {number}": code
        for page in pages
        for number, code in enumerate(PYTHON_EXAMPLE.findall(page.read_text("utf-8")), 1)
        if "def run(" in code
    }


@pytest.mark.parametrize(
    "code",
    [path.read_text("utf-8") for path in FLOWS] + list(flows_of_the_documents().values()),
    ids=[path.stem for path in FLOWS] + list(flows_of_the_documents()),
)
def test_a_flow_imports_only_public_names(code: str) -> None:
    ours = {"paydispatch", "api", "stripe_caller", "reconciler", "flow_runner", "operators"}
    known = {name for name, _ in imports(ast.parse(code)) if name.partition(".")[0] in ours}

    assert known <= {"paydispatch", "paydispatch.flow"}


def test_only_settings_and_commands_read_the_environment() -> None:
    readers = {name_of(path) for path in MODULES if reads_the_environment(path)}

    assert {name for name in readers if not name.startswith("paydispatch/cli/")} == {
        "paydispatch/settings.py",
        "paydispatch/local/settings.py",
        "paydispatch/testing/flow_runs/scripts.py",  # in a user's test, which is no program of ours
    }


def reads_the_environment(path: Path) -> bool:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    names |= {node.name for node in nodes if isinstance(node, ast.alias)}
    return bool(names & {"environ", "environb", "getenv", "getenvb"})


def test_no_module_has_a_vague_name() -> None:
    names = {part for path in MODULES for part in Path(name_of(path)).with_suffix("").parts}

    assert not names & {"utils", "common", "helpers", "shared", "core", "models"}


def test_the_wheel_installs_one_top_level_name() -> None:
    """A second name could overwrite a module of the user's project, or be shadowed by one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["functions/paydispatch"]
    assert all(place.startswith("paydispatch/") for place in wheel["force-include"].values())


def test_importing_a_package_loads_no_third_party_library() -> None:
    packages = [path for path in MODULES if path.name == "__init__.py"]
    known = {
        name.partition(".")[0]
        for path in packages
        for name, _ in imports(ast.parse(path.read_text("utf-8")))
    }

    assert packages
    assert known <= sys.stdlib_module_names | {"paydispatch"}


def ports_of(module: object) -> list[type]:
    return [
        port
        for _, port in inspect.getmembers(module, inspect.isclass)
        if getattr(port, "_is_protocol", False) and port.__module__ == module.__name__  # type: ignore[attr-defined]
    ]


TWINS = [
    twin
    for module in pkgutil.iter_modules(testing.__path__, f"{testing.__name__}.")
    for name, twin in inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
    if "Memory" in name
]


@pytest.mark.parametrize("port", [*ports_of(ports), *ports_of(delivery)])
def test_every_port_has_an_in_memory_twin(port: type) -> None:
    """The twin has the same methods, equally sync or async, with the same names of arguments."""
    assert [twin for twin in TWINS if keeps(twin, port)]


def keeps(twin: type, port: type) -> bool:
    methods = {
        name: m for name, m in vars(port).items() if inspect.isfunction(m) and name[0] != "_"
    }
    return all(alike(method, getattr(twin, name, None)) for name, method in methods.items())


def alike(promised: object, kept: object) -> bool:
    if not inspect.isfunction(promised) or not inspect.isfunction(kept):
        return False
    same_kind = inspect.iscoroutinefunction(promised) == inspect.iscoroutinefunction(kept)
    taken = inspect.signature(kept).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
    return same_kind and (takes_any or list(inspect.signature(promised).parameters) == list(taken))
