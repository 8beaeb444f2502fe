"""`paydispatch check` prints the faults of a project, and its exit code says whether there are any."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from paydispatch.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

RUN = "def run(outcome, flow): ...\n"


pytestmark = pytest.mark.usefixtures("restored_modules")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWS_DIR", raising=False)
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "new_create_product_response.py").write_text(f"import prices\n\n{RUN}")
    (flows / "new_create_product_error.py").write_text(RUN)
    (tmp_path / "prices.py").write_text("from paydispatch import new_price\n\nnew_price()\n")
    return tmp_path


def test_a_project_with_a_fault_ends_with_1(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check"]) == 1
    printed = capsys.readouterr().out
    assert "create_price: it has no error script, and is used in prices.py:3" in printed
    assert printed.endswith("2 flows, 1 operations in use: 2 faults\n")


def test_a_project_without_faults_ends_with_0(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for end in ("response", "error"):
        (project / f"flows/any_{end}.py").write_text(RUN)
    assert main(["check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "scripts": [
            "any_error",
            "any_response",
            "new_create_product_error",
            "new_create_product_response",
        ],
        "operations": {"create_price": "prices.py:3"},
        "faults": [],
    }


def test_an_operation_can_be_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "prices.py").write_text("")
    assert main(["check", "--operation", "create_refund"]) == 1
    assert "create_refund: it has no response script" in capsys.readouterr().out


def test_an_unknown_operation_is_a_mistake(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--operation", "create_refunds"]) == 2
    assert "create_refund" in capsys.readouterr().err
