"""The commands for requests with an unknown outcome (doctor, dlq, reconcile) on a running stack."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from paydispatch import Dispatcher, new_coupon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.local.stack import LocalStack

KEY = "sk_test_lost_and_found"
PATIENCE_S = 20.0
DAY_S = 86_400
LOOKS = "poller-look-1"


@pytest.fixture(autouse=True)
def environment(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def lose_answers(stack: LocalStack) -> Iterator[None]:
    """Make Stripe execute and lose its answers until the test removes the fault."""
    add_fault(stack, "POST", {"kind": "lost_answer"})
    yield
    remove_faults(stack)


@pytest.fixture
def fail_reads(stack: LocalStack) -> None:
    """Make Stripe's lists fail, so that no look before an unknown outcome finds the effect."""
    add_fault(stack, "GET", {"kind": "status", "status": 500}, object="coupon")


@pytest.fixture
def no_looks(stack: LocalStack) -> Iterator[None]:
    """Stop the looks, so that only the commands of the test settle."""
    stack.stop(LOOKS)
    yield
    stack.restart(LOOKS)


def add_fault(stack: LocalStack, method: str, action: dict[str, Any], **match: str) -> None:
    rule = {"action": action, "match": {"method": method, **match}}
    faults = f"{stack.addresses.stripe_base}/_twin/faults"
    httpx.post(faults, json=rule).raise_for_status()


def remove_faults(stack: LocalStack) -> None:
    httpx.delete(f"{stack.addresses.stripe_base}/_twin/faults").raise_for_status()


def dispatch_coupon() -> str:
    """Dispatch a coupon whose deadline passes without an answer, and return its request id."""
    with Dispatcher.from_env():
        receipt = (
            new_coupon()
            .percent_off(10)
            .duration("once")
            .create_async("ledger", "lost", KEY, deadline_s=1.0)
        )
    return receipt.request_id


def make_unknown(stack: LocalStack) -> str:
    """Dispatch a coupon, wait until it is told unknown, and return its request id."""
    request_id = dispatch_coupon()
    await_status(stack, request_id, "unknown")
    return request_id


def command(*words: str) -> tuple[int, str]:
    """Run `paydispatch …` and return its exit code and its output."""
    run = subprocess.run(
        [sys.executable, "-m", "paydispatch", *words],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert run.returncode in (0, 1), run.stderr
    assert KEY not in run.stdout + run.stderr
    return run.returncode, run.stdout


def as_json(*words: str) -> Any:
    return json.loads(command(*words, "--json")[1])


def count_posts(stack: LocalStack) -> int:
    return len(httpx.get(f"{stack.addresses.stripe_base}/_twin/attempts").json()["attempts"])


def count_effects(stack: LocalStack, request_id: str) -> int:
    ledger = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger").json()["effects"]
    return [effect["idempotency_key"] for effect in ledger].count(request_id)


def await_status(
    stack: LocalStack, request_id: str, status: str, *, within_s: float = PATIENCE_S
) -> dict[str, Any]:
    give_up_at = time.monotonic() + within_s
    found: dict[str, Any] = {}
    while found.get("status") != status:
        assert time.monotonic() < give_up_at, found
        time.sleep(0.05)
        found = httpx.get(f"{stack.addresses.api}/v1/requests/{request_id}").json()
    return found


@pytest.mark.usefixtures("lose_answers", "no_looks")
def test_an_effect_that_stands_at_stripe_is_never_told_unknown(stack: LocalStack) -> None:
    request_id = dispatch_coupon()

    assert await_status(stack, request_id, "succeeded")["parsed_data"]["percent_off"] == 10
    assert count_effects(stack, request_id) == 1
    assert as_json("dlq", "list")["messages"] == []


@pytest.mark.usefixtures("lose_answers", "fail_reads")
def test_a_look_settles_what_was_told_unknown(stack: LocalStack) -> None:
    """The first look comes 10 s later. If it comes while the reads still fail, the next one does it."""
    request_id = make_unknown(stack)
    remove_faults(stack)

    await_status(stack, request_id, "succeeded", within_s=90.0)
    assert count_effects(stack, request_id) == 1
    (purged,) = as_json("dlq", "redrive", "--purge-settled")["messages"]
    assert purged["action"] == "purged"


@pytest.mark.usefixtures("lose_answers", "fail_reads", "no_looks")
def test_an_unknown_outcome_is_reported_by_doctor_and_settled_by_reconcile(
    stack: LocalStack,
) -> None:
    request_id = make_unknown(stack)

    code, shown = command("doctor", "--older-than", "0s")
    assert code == 1
    assert request_id in shown
    assert "unknown in test acct_" in shown
    assert "proven by: its object in Stripe's list" in command("status", request_id)[1]

    remove_faults(stack)
    report = as_json("reconcile", "--worker-id", "ledger")

    assert report["counts"]["created"] == 1
    assert await_status(stack, request_id, "succeeded")["parsed_data"]["percent_off"] == 10
    assert count_effects(stack, request_id) == 1
    (parked,) = as_json("dlq", "list", "--worker-id", "ledger")["messages"]
    assert (parked["id"], parked["status"]) == (request_id, "succeeded")
    (purged,) = as_json("dlq", "redrive", "--worker-id", "ledger", "--purge-settled")["messages"]
    assert purged["action"] == "purged"


@pytest.mark.usefixtures("lose_answers", "fail_reads", "no_looks")
def test_a_parked_message_is_shown_and_sent_back(stack: LocalStack) -> None:
    request_id = make_unknown(stack)

    _, shown = command("dlq", "show", request_id)
    assert json.loads(shown)["envelope"]["sealed_secret"] == "(sealed)"
    dry = as_json("dlq", "redrive", "--dry-run")["messages"]
    assert [(one["id"], one["action"]) for one in dry] == [(request_id, "left")]

    remove_faults(stack)
    (sent,) = as_json("dlq", "redrive", "--rate", "10/s")["messages"]

    assert sent["action"] == "sent_back"
    await_status(stack, request_id, "succeeded")
    assert count_effects(stack, request_id) == 1
    assert as_json("dlq", "list")["messages"] == []


@pytest.mark.usefixtures("no_looks")
def test_a_day_old_request_is_not_sent_and_reconcile_proves_it_not_created(
    stack: LocalStack,
) -> None:
    """The queue itself parked the message, because no caller lived long enough to publish an outcome."""
    yesterday = time.time() - DAY_S - 3_600
    message = {
        "v": 1,
        "request_id": "pdr_yesterday",
        "object": "coupon",
        "params": {"percent_off": 10, "duration": "once"},
        "worker_id": "ledger",
        "context_id": "old",
        "secret_ref": "demo",
        "accepted_at": yesterday,
        "first_sent_at": yesterday,
        "attempt": 2,
    }
    sqs = boto3.client("sqs")
    sqs.send_message(
        QueueUrl=stack.addresses.dead_letter_queue_url, MessageBody=json.dumps(message)
    )
    sqs.close()
    before = count_posts(stack)

    (handed,) = as_json("dlq", "redrive")["messages"]
    assert handed["action"] == "handed_over"
    await_status(stack, "pdr_yesterday", "unknown")

    assert as_json("reconcile")["counts"]["not_created"] == 1

    failed = await_status(stack, "pdr_yesterday", "failed")
    assert failed["parsed_error"]["code"] == "not_found_after_horizon"
    assert count_posts(stack) == before
    assert as_json("dlq", "redrive", "--purge-settled")["messages"][0]["action"] == "purged"


def test_no_request_waits_at_the_end(stack: LocalStack) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while (answer := command("doctor", "--older-than", "0s"))[0] != 0:
        assert time.monotonic() < give_up_at, answer[1]

    assert "No request has waited longer than" in answer[1]
