"""`submit --plan` shows every fault and the time that the calls take, without a key, and sends and writes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.submission.submissions import API, FILE, LEDGER, line, report, submit_lines

from paydispatch.cli.main import main

if TYPE_CHECKING:
    from paydispatch.testing.memory_delivery import MemoryDelivery

OWN = "sk_live_" + "abcdefghijkl"


def payment(amount: object = 2000, **fields: Any) -> str:
    params = {"amount": amount, "currency": "eur"}
    return line(object="payment_intent", params=params, **fields)


def plan(*lines: str, options: tuple[str, ...] = ()) -> int:
    return submit_lines(*lines, to=("--plan", *options))


def plan_of(*lines: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    plan(*lines, options=("--json",))
    return report(capsys)


@pytest.fixture(autouse=True)
def nothing_is_sent(delivery: MemoryDelivery, away: pytest.MonkeyPatch) -> None:
    """Let each test begin without the variables of the queues, and without a limit of its own."""
    for name in ("REQUEST_QUEUE_URL", "SEALING_KEY_ID", "STRIPE_LIMIT_LIVE", "RATE_SHARE_BATCH"):
        away.delenv(name, raising=False)


def test_a_plan_sends_and_writes_nothing_and_needs_no_key(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    keyless = json.dumps({**json.loads(payment()), "secret_ref": None})
    assert plan(keyless, line()) == 0
    shown = capsys.readouterr().out
    assert "2 lines, 2 to submit, 0 submitted earlier, 0 faulty." in shown
    assert "1 lines have no key: set STRIPE_SECRET_KEY" in shown
    assert "Nothing was sent." in shown
    assert delivery.envelopes == []
    assert not LEDGER.exists()


def test_equal_faults_are_one_line_with_the_first_lines_and_a_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert plan(payment(), *[payment("20.00")] * 500, "{", payment()) == 1
    shown = capsys.readouterr().out
    assert "500 lines (2, 3, 4, 5, 6 …): Invalid amount: must be an integer (no decimal" in shown
    assert "line 502: The line is not valid JSON." in shown


def test_faults_of_one_kind_with_other_values_are_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (fault,) = plan_of(*[payment(f"{n}.50") for n in range(20)], capsys=capsys)["faults"]
    assert (fault["param"], fault["count"]) == ("amount", 20)
    assert '"0.50"' in fault["message"]


def test_every_fault_of_a_line_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = payment("20.00", context_id=None, worker_id="{", lane="fast")
    faults = plan_of(wrong, capsys=capsys)["faults"]
    assert {fault["param"] for fault in faults} == {"amount", "context_id", "worker_id", "lane"}


def test_a_line_in_another_encoding_is_a_fault_beside_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    FILE.write_bytes(payment().encode() + b'\n{"\xfc": 1}\n')
    assert main(["submit", str(FILE), "--plan"]) == 1
    assert "line 2: The line is not UTF-8. It holds the byte 0xFC." in capsys.readouterr().out


def test_the_requests_of_each_operation_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    shown = plan_of(payment(), line(), payment(), capsys=capsys)
    assert shown["operations"] == {"create_payment_intent": 2, "create_coupon": 1}


def test_the_time_is_that_of_the_limits_of_the_account_and_of_the_operation(
    away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.setenv("STRIPE_LIMIT_LIVE", "50")
    away.setenv("STRIPE_LIMIT_OPERATION", "40")
    live = [payment(secret_ref=None, stripe_secret=OWN), line(secret_ref=None, stripe_secret=OWN)]
    shown = plan_of(*live * 20, capsys=capsys)
    assert shown["at_least_s"] == {"live": 1.0}  # 40 calls at 80% of 50 a second


def test_lines_that_the_ledger_has_are_not_planned_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    submit_lines(line(), line("worker-2"))
    capsys.readouterr()
    plan(line(), line("worker-2"), line("worker-3"), options=("--json", "--api", API))
    shown = report(capsys)
    assert (shown["ready"], shown["submitted_before"]) == (1, 2)


def test_a_changed_line_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    submit_lines(line(), line("worker-2"))
    assert plan(line(), line("worker-3"), options=("--api", API)) == 1
    assert "line 2: The line is not as the run submitted it." in capsys.readouterr().out
