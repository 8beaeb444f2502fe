"""A command prints the same here and with `--stack`, where the operator's function runs it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S
from tests.unit.operator_in_memory import ARN, FunctionInMemory, MemoryOperatorPorts

from paydispatch.cli.main import main
from paydispatch.domain.errors import Unavailable
from paydispatch.services.operate.ports import Slice
from paydispatch.services.operate.table import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Callable

LINES = [
    "status pdr_open",
    "status pdr_other --json",
    "status pdr_missing",
    "status pdr_open --tenant other",
    "status pdr_open --trace",
    "status pdr_unknown --trace --json",
    "status pdr_missing --trace",
    "requests",
    "requests order-2 --json",
    "requests nowhere",
    "doctor",
    "doctor --json --older-than 0s",
    "limits show",
    "limits show --account acct_1 --mode live --json",
    "limits show --account acct_9",
    "limits set --account acct_1 --mode test 50",
    "limits set --account acct_2 --mode test --operation create_product off --json",
    "limits reset --account acct_2 --mode test",
    "limits close-breaker --account acct_1 --mode live",
    "limits close-breaker --key 3f9c2a7be014 --json",
    "pause --all --by bob",
    "pause --lane batch --by bob --json",
    "pause",
    "resume --account acct_1 --mode live",
    "resume --all --json",
    "dlq list",
    "dlq list --json --limit 3",
    "dlq list --worker-id nobody",
    "dlq list --older-than 0s",
    "dlq show pdr_2",
    "dlq show m-6",
    "dlq show pdr_missing",
    "dlq redrive",
    "dlq redrive --dry-run",
    "dlq redrive --limit 4 --purge-settled --json",
    "flows dead list",
    "flows dead list --json --limit 3 --worker-id worker-1",
    "flows dead list --since 0s --script any_error",
    "flows dead list --context context-1",
    "flows dead show pdr_dead_1",
    "flows dead show pdr_missing --worker-id worker-1",
    "flows dead rerun",
    "flows dead rerun --dry-run",
    "flows dead rerun --all",
    "flows dead rerun pdr_dead_2 --json",
    "flows dead rerun --all --limit 4",
    "reconcile",
    "reconcile --json --worker-id worker-1",
    "reconcile --same-account pdr_missing",
    "forget --context ada",
    "forget --context ada --dry-run --json --worker-id w",
]


@dataclass
class Both:
    """Two systems with the same content, and the commands on each of them."""

    here: MemoryOperatorPorts
    there: FunctionInMemory
    capsys: pytest.CaptureFixture[str]

    def run(self, line: str) -> tuple[int, str, str]:
        code = main(line.split())
        printed = self.capsys.readouterr()
        return code, printed.out, printed.err


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Both:
    here, there = MemoryOperatorPorts(), MemoryOperatorPorts(Slice(messages=2, seconds=60.0))
    for ports in (here, there):
        ports.fill()
    function = FunctionInMemory(there)
    monkeypatch.setattr("paydispatch.compose.operators.ports.ConnectedPorts", lambda **_: here)
    monkeypatch.setattr("paydispatch.cli.remote.connect", function.connected)
    monkeypatch.setattr("time.time", lambda: NOW_S)
    return Both(here, function, capsys)


@pytest.mark.parametrize("line", LINES)
def test_a_command_prints_the_same_here_and_there(both: Both, line: str) -> None:
    here, there = both.run(line), both.run(f"{line} --stack shop")

    assert there == here
    assert KEY not in repr((there, both.there.answers, both.here.log.lines))


def test_every_command_is_compared() -> None:
    asked = {name for name in COMMANDS if any(line.startswith(name) for line in LINES)}

    assert asked == set(COMMANDS)


@pytest.mark.parametrize("rest", ["", " --purge-settled"])
def test_a_redrive_in_runs_leaves_the_same_queues(both: Both, rest: str) -> None:
    for end in ("", " --stack shop"):
        both.run(f"dlq redrive{rest}{end}")

    here, there = both.here, both.there.ports
    assert len(both.there.asked) > 1
    assert there.dead_letters.messages.keys() == here.dead_letters.messages.keys()
    assert [sent.request_id for sent in there.queue.sent] == [
        sent.request_id for sent in here.queue.sent
    ]
    assert there.dead_letters.hidden == set()


def test_a_rerun_in_runs_leaves_the_same_streams(both: Both) -> None:
    for end in ("", " --stack shop"):
        both.run(f"flows dead rerun --all{end}")

    here, there = both.here.inbox, both.there.ports.inbox
    assert len(both.there.asked) > 1
    assert there.dead_flows() == here.dead_flows()
    assert there.unfinished_entries() == here.unfinished_entries() != []


def test_a_pause_from_a_laptop_is_by_its_arn(both: Both) -> None:
    assert both.run("pause --all --stack shop")[1].endswith(f"by {ARN}.\n")
    (event, line) = both.there.ports.log.lines[-1]
    assert (event, line["command"], line["caller"]) == ("command.done", "pause", ARN)


def test_a_run_that_fails_shows_what_the_runs_before_did(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = itertools.count(1)
    invoke: Callable[..., Any] = both.there.invoke

    def fail_later(**asked: Any) -> Any:
        if next(runs) == 2:
            raise Unavailable("The way to AWS is broken")
        return invoke(**asked)

    monkeypatch.setattr(both.there, "invoke", fail_later)

    code, out, err = both.run("dlq redrive --stack shop")

    assert code == 2
    assert "pdr_0" in out
    assert err.splitlines()[-1] == "paydispatch: The way to AWS is broken"


def test_a_status_is_asked_in_one_way(both: Both) -> None:
    code, _, err = both.run("status pdr_1 --stack shop --api https://api.example.com")
    assert (code, err) == (2, "paydispatch: --api and --stack are two ways to ask. Name one.\n")
