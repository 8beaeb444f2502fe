"""The console runs on an operator's machine, and no Lambda has it."""

from typing import TYPE_CHECKING

import build_function

if TYPE_CHECKING:
    from pathlib import Path


def test_the_code_of_a_lambda_has_no_console(tmp_path: "Path") -> None:
    build_function._copy_code("operators", tmp_path)
    assert list(tmp_path.rglob("*operators*"))
    assert not list(tmp_path.rglob("console*"))
