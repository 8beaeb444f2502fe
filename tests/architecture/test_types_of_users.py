"""A type checker finds the mistakes of a program that dispatches, and none in a correct one.

`tests/integration/programs/test_types.py` is the same with pyright, and checks the examples with both.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.typed_program import PROGRAM, WRONG

ROOT = Path(__file__).parents[2]


def test_mypy_finds_each_mistake_and_no_other(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    command = (sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(program))
    told = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300
    ).stdout

    assert {int(number) for number in re.findall(r"program\.py:(\d+): error", told)} == WRONG, told
