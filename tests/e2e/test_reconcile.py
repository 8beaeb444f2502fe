"""What an operator does about requests that ended unknown: doctor, dlq, reconcile, as commands on a running stack."""

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


@pytest.fixture(autouse=True)
def environment(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def lost_answers(stack: LocalStack) -> Iterator[None]:
    """Stripe executes and its answers get lost, until the test says otherwise."""
    faults = f"{stack.addresses.stripe_base}/_twin/faults"
    rule = {"action": {"kind": "lost_answer"}, "match": {"method": "POST"}}
    httpx.post(faults, json=rule).raise_for_status()
    yield
    httpx.delete(faults).raise_for_status()


def ended_unknown(stack: LocalStack) -> str:
    """A coupon whose answers were lost until its deadline."""
    with Dispatcher.from_env():
        receipt = (
            new_coupon()
            .percent_off(10)
            .duration("once")
            .create_async("ledger", "lost", KEY, deadline_s=1.0)
        )
    await_status(stack, receipt.request_id, "unknown")
    return receipt.request_id


def command(*words: str) -> tuple[int, str]:
    """Run `paydispatch …`; return its exit code and what it printed."""
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


def posts(stack: LocalStack) -> int:
    return len(httpx.get(f"{stack.addresses.stripe_base}/_twin/attempts").json()["attempts"])


def effects(stack: LocalStack, request_id: str) -> int:
    ledger = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger").json()["effects"]
    return [effect["idempotency_key"] for effect in ledger].count(request_id)


def await_status(stack: LocalStack, request_id: str, status: str) -> dict[str, Any]:
    give_up_at = time.monotonic() + PATIENCE_S
    found: dict[str, Any] = {}
    while found.get("status") != status:
        assert time.monotonic() < give_up_at, found
        time.sleep(0.05)
        found = httpx.get(f"{stack.addresses.api}/v1/requests/{request_id}").json()
    return found


@pytest.mark.usefixtures("lost_answers")
def test_an_unknown_outcome_is_seen_looked_for_and_settled(stack: LocalStack) -> None:
    request_id = ended_unknown(stack)

    code, shown = command("doctor", "--older-than", "0s")
    assert code == 1
    assert request_id in shown
    assert "unknown" in shown

    report = as_json("reconcile", "--worker-id", "ledger")

    assert report["counts"]["created"] == 1
    assert await_status(stack, request_id, "succeeded")["parsed_data"]["percent_off"] == 10
    assert effects(stack, request_id) == 1
    (parked,) = as_json("dlq", "list", "--worker-id", "ledger")["messages"]
    assert (parked["id"], parked["status"]) == (request_id, "succeeded")
    (purged,) = as_json("dlq", "redrive", "--worker-id", "ledger", "--purge-settled")["messages"]
    assert purged["action"] == "purged"


@pytest.mark.usefixtures("lost_answers")
def test_a_parked_message_is_shown_and_sent_back(stack: LocalStack) -> None:
    request_id = ended_unknown(stack)

    _, shown = command("dlq", "show", request_id)
    assert json.loads(shown)["envelope"]["sealed_secret"] == "(sealed)"
    dry = as_json("dlq", "redrive", "--dry-run")["messages"]
    assert [(one["id"], one["action"]) for one in dry] == [(request_id, "left")]

    httpx.delete(f"{stack.addresses.stripe_base}/_twin/faults").raise_for_status()
    (sent,) = as_json("dlq", "redrive", "--rate", "10/s")["messages"]

    assert sent["action"] == "sent_back"
    await_status(stack, request_id, "succeeded")
    assert effects(stack, request_id) == 1
    assert as_json("dlq", "list")["messages"] == []


def test_what_is_a_day_old_is_not_sent_and_reconcile_proves_that_it_is_not_there(
    stack: LocalStack,
) -> None:
    """Parked by the queue itself, when no caller lived long enough to publish anything."""
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
    before = posts(stack)

    (handed,) = as_json("dlq", "redrive")["messages"]
    assert handed["action"] == "handed_over"
    await_status(stack, "pdr_yesterday", "unknown")

    assert as_json("reconcile")["counts"]["not_created"] == 1

    failed = await_status(stack, "pdr_yesterday", "failed")
    assert failed["parsed_error"]["code"] == "not_found_after_horizon"
    assert posts(stack) == before
    assert as_json("dlq", "redrive", "--purge-settled")["messages"][0]["action"] == "purged"


def test_in_the_end_nothing_waits(stack: LocalStack) -> None:
    give_up_at = time.monotonic() + PATIENCE_S
    while (answer := command("doctor", "--older-than", "0s"))[0] != 0:
        assert time.monotonic() < give_up_at, answer[1]

    assert "No request waits." in answer[1]
