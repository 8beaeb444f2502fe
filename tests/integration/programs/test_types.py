"""mypy and pyright find nothing in the examples, and pyright the mistakes of a program that dispatches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.typed_program import PROGRAM, WRONG

ROOT = Path(__file__).parents[3]
TIMEOUT_S = 600
"""The first run loads pyright from npm."""

LIBRARIES = [str(ROOT / place) for place in os.environ.get("PYTHONPATH", "").split(os.pathsep)]
"""Those of the examples. `make programs` puts them there."""

MYPY = (
    *("--config-file", "pyproject.toml", "--cache-dir", ".mypy_cache/examples"),
    *("--explicit-package-bases", "--exclude", "notebook_cells"),
    # the libraries are not among its own, so they have no types here
    *("--ignore-missing-imports", "--allow-untyped-decorators", "--allow-subclassing-any"),
    *("--allow-untyped-calls", "--no-warn-return-any"),
    # gunicorn's settings, and the producer that shows no types
    *("--allow-untyped-defs", "--allow-incomplete-defs", "--allow-any-generics"),
)

CHECKED = {
    "extraPaths": [str(ROOT / "functions"), *map(str, (ROOT / "examples").glob("*")), *LIBRARIES],
    "pythonVersion": "3.11",
}
LEFT_OUT = [
    "examples/programs/notebook_cells.py",  # its cells await without a function
    "examples/programs/django_shop",  # Django has no types
]


def pyright(folder: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the errors that pyright finds. Skip the test if pyright cannot be had."""
    pytest.importorskip("pyright")
    (folder / "pyrightconfig.json").write_text(json.dumps(CHECKED | config))
    own = ("--outputjson", "--pythonpath", sys.executable, "-p", str(folder))
    done = subprocess.run(
        (sys.executable, "-m", "pyright", *own),
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    try:
        told = json.loads(done.stdout)
    except ValueError:
        pytest.skip(f"pyright cannot be loaded from npm: {done.stderr[-500:]}")
    found: list[dict[str, Any]] = told["generalDiagnostics"]
    return [each for each in found if each["severity"] == "error"]


def test_mypy_finds_nothing_in_the_examples() -> None:
    folders = {**os.environ, "MYPYPATH": "examples/shop:examples/programs"}
    command = (sys.executable, "-m", "mypy", *MYPY, "examples")
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=folders, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout


def test_pyright_finds_each_mistake_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)

    errors = pyright(tmp_path, {"include": ["program.py"]})

    assert {error["range"]["start"]["line"] + 1 for error in errors} == WRONG, errors


def test_pyright_finds_nothing_in_the_examples(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")

    errors = pyright(tmp_path, {"include": ["examples"], "exclude": LEFT_OUT})

    assert [(error["file"], error["message"]) for error in errors] == []
