"""`paydispatch flows dead` shows dead flows without keys, and runs none again that nobody named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.examples import KEY, NOW_S
from tests.unit.operator_in_memory import MemoryOperatorPorts

from paydispatch.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> MemoryOperatorPorts:
    ports = MemoryOperatorPorts()
    monkeypatch.setattr("paydispatch.compose.operators.ports.ConnectedPorts", lambda **_: ports)
    return ports


@pytest.fixture
def run(ports: MemoryOperatorPorts, capsys: pytest.CaptureFixture[str]) -> Run:
    del ports

    def run(line: str) -> tuple[int, str, str]:
        code = main(["flows", "dead", *line.split()])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_a_list_names_the_script_and_the_reason(ports: MemoryOperatorPorts, run: Run) -> None:
    ports.bury()
    code, printed, _ = run("list")
    assert code == 0
    for word in ("pdr_1", "context-1", "new_create_payment_intent_response", "no database"):
        assert word in printed


def test_a_list_fits_into_80_columns(
    ports: MemoryOperatorPorts, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ports.bury(context_id="a-rather-long-name-of-a-conversation-in-a-shop")
    _, printed, _ = run("list")
    assert max(map(len, printed.splitlines())) <= 80


def test_no_dead_flow_is_said_so(run: Run) -> None:
    assert run("list") == (0, "There is no such dead flow.\n", "")


def test_show_prints_the_outcome_without_the_sealed_key(
    ports: MemoryOperatorPorts, run: Run
) -> None:
    ports.bury(sealed_secret="1.sealed", settled_at=NOW_S)
    code, printed, _ = run("show pdr_1")
    (flow,) = json.loads(printed)["flows"]
    assert (code, flow["entry"]["sealed_secret"], flow["entry"]["request_id"]) == (
        0,
        "(sealed)",
        "pdr_1",
    )
    assert KEY not in printed


def test_show_of_no_dead_flow_ends_with_1(run: Run) -> None:
    assert run("show pdr_9") == (1, "", "There is no dead flow with the id pdr_9.\n")


def test_a_rerun_of_nothing_in_particular_is_refused(ports: MemoryOperatorPorts, run: Run) -> None:
    ports.bury()
    code, printed, said = run("rerun --limit 5")
    assert (code, printed) == (2, "")
    assert "--all" in said
    assert len(ports.inbox.dead_flows()) == 1


def test_a_dry_run_needs_no_choice_and_changes_nothing(
    ports: MemoryOperatorPorts, run: Run
) -> None:
    ports.bury()
    code, printed, _ = run("rerun --dry-run --json")
    assert code == 0
    assert json.loads(printed)["flows"][0]["action"] == "left"
    assert len(ports.inbox.dead_flows()) == 1


def test_a_rerun_puts_the_flow_back(ports: MemoryOperatorPorts, run: Run) -> None:
    ports.bury()
    code, printed, _ = run("rerun pdr_1 --json")
    assert (code, json.loads(printed)["flows"][0]["action"]) == (0, "rerun")
    assert [each.request_id for each in ports.inbox.unfinished_entries()] == ["pdr_1"]


def test_a_chosen_flow_that_stays_ends_with_1(ports: MemoryOperatorPorts, run: Run) -> None:
    ports.bury(settled_at=NOW_S - 30 * 86_400)
    code, printed, _ = run("rerun --all")
    assert code == 1
    assert "older than 24 days" in printed


def test_control_characters_of_a_script_do_not_reach_the_terminal(
    ports: MemoryOperatorPorts, run: Run
) -> None:
    ports.bury(reason="\x1b[2Joops")
    _, printed, _ = run("list")
    assert "\x1b" not in printed
    assert "oops" in printed
