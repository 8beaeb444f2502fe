"""A program may wait for the outcome of its request. It never gets that of another one."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, make_failure

from paydispatch import (
    BadSetting,
    Dispatcher,
    IdempotencyKeyReused,
    NotDelivered,
    Outcome,
    PaydispatchError,
    Unavailable,
    new_payment_intent,
)
from paydispatch.domain.outcomes import Certainty
from paydispatch.sdk import dispatcher
from paydispatch.sdk.outcome import pauses_s
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.sdk.receipt import Receipt


class MemoryReader:
    """An `OutcomeReader` that tells its answers one after the other, and then the last one again and again."""

    def __init__(self, *answers: Mapping[str, Any] | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str | None]] = []
        self.threads: set[int] = set()

    def read(
        self, request_id: str, fingerprint: str | None, _within_s: float
    ) -> Mapping[str, Any] | None:
        self.asked.append((request_id, fingerprint))
        self.threads.add(threading.get_ident())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else {"fingerprint": fingerprint, **answer}

    async def read_async(
        self, request_id: str, fingerprint: str | None, within_s: float
    ) -> Mapping[str, Any] | None:
        return self.read(request_id, fingerprint, within_s)


def status(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "request_id": "pdr_1",
        "operation": "create_payment_intent",
        "worker_id": "worker-1",
        "context_id": "context-1",
        "status": name,
        "attempts": 1,
        **fields,
    }


SUCCEEDED = status("succeeded", parsed_data={"id": "pi_1"})
FAILED = status("failed", parsed_error=make_failure(code="resource_missing").as_dict())
UNKNOWN = status("unknown", parsed_error=make_failure(certainty=Certainty.UNKNOWN).as_dict())


def dispatch(**options: Any) -> Receipt:
    intent = new_payment_intent().amount(2000).currency("usd")
    return intent.create_async("worker-1", "context-1", KEY, **options)


def asked(*answers: Mapping[str, Any] | Exception | None, **options: Any) -> Receipt:
    """Dispatch a request whose outcome is read from these answers."""
    with dispatcher.Dispatcher(MemoryDelivery(), outcomes=MemoryReader(*answers)):
        return dispatch(**options)


def test_a_program_waits_for_the_answer_of_stripe() -> None:
    outcome = asked(None, status("calling"), SUCCEEDED).outcome(10)
    assert (outcome.status, outcome.settled) == ("succeeded", True)
    assert (outcome.parsed_data, outcome.parsed_error) == ({"id": "pi_1"}, None)


async def test_a_coroutine_awaits_it() -> None:
    outcome = await asked(None, status("calling"), SUCCEEDED).outcome(10)
    assert outcome.parsed_data == {"id": "pi_1"}
    assert await outcome is outcome


async def test_an_outcome_that_is_not_awaited_in_a_coroutine_says_so() -> None:
    outcome = asked(SUCCEEDED).outcome(10)
    with pytest.raises(RuntimeError, match="Await this outcome first"):
        _ = outcome.status
    assert "not awaited" in repr(outcome)


async def test_many_coroutines_wait_in_the_thread_of_their_event_loop() -> None:
    reader = MemoryReader(status("calling"), *[status("calling")] * 300, SUCCEEDED)
    async with dispatcher.Dispatcher(MemoryDelivery(), outcomes=reader):
        receipts = [dispatch() for _ in range(200)]
        outcomes = await asyncio.gather(*(receipt.outcome(30) for receipt in receipts))
    assert {outcome.status for outcome in outcomes} == {"succeeded"}
    assert reader.threads == {threading.get_ident()}


def test_a_refusal_is_an_outcome() -> None:
    outcome = asked(FAILED).outcome(10)
    assert (outcome.status, outcome.parsed_data) == ("failed", None)
    assert outcome.parsed_error is not None
    assert (str(outcome.parsed_error), outcome.parsed_error.code) == (
        "No such customer",
        "resource_missing",
    )


def test_an_unknown_outcome_is_waited_for_and_returned_when_the_time_is_over() -> None:
    assert asked(UNKNOWN, SUCCEEDED).outcome(10).status == "succeeded"
    outcome = asked(UNKNOWN).outcome(0.05)
    assert (outcome.status, outcome.settled) == ("unknown", False)


@pytest.mark.parametrize(
    ("answer", "known"), [(None, "not known yet"), (status("calling"), "call")]
)
def test_a_wait_is_bounded_by_the_time_given(answer: Mapping[str, Any] | None, known: str) -> None:
    receipt = asked(answer)
    with pytest.raises(
        TimeoutError, match=f"No outcome within 0.05 s: {receipt.request_id}.*{known}"
    ):
        receipt.outcome(0.05)


async def test_a_wait_in_a_coroutine_is_bounded_too() -> None:
    with pytest.raises(TimeoutError, match=r"No outcome within 0\.05 s"):
        await asked(None).outcome(0.05)


def test_an_api_that_is_away_for_a_while_is_asked_again() -> None:
    assert asked(Unavailable("away"), SUCCEEDED).outcome(10).status == "succeeded"
    with pytest.raises(TimeoutError, match=r"\(away\)"):
        asked(Unavailable("away")).outcome(0.05)


def test_a_refusal_of_the_api_ends_the_wait() -> None:
    with pytest.raises(PaydispatchError, match="not signed in"):
        asked(PaydispatchError("not signed in")).outcome(10)


@pytest.mark.parametrize("name", ["operation", "worker_id", "context_id"])
def test_the_outcome_of_another_request_is_never_returned(name: str) -> None:
    with pytest.raises(IdempotencyKeyReused):
        asked({**SUCCEEDED, name: "another"}).outcome(10)


def test_a_request_under_a_key_asks_with_its_fingerprint() -> None:
    reader, delivery = MemoryReader(SUCCEEDED), MemoryDelivery()
    with dispatcher.Dispatcher(delivery, outcomes=reader):
        keyed, keyless = dispatch(idempotency_key="order-1"), dispatch()
    assert (keyed.outcome(10).status, keyless.outcome(10).status) == ("succeeded", "succeeded")
    (_, first), (_, second) = reader.asked
    assert first is not None
    assert (first[:3], second) == ("f1:", None)


@pytest.mark.parametrize("told", [None, "f1:another"])
def test_an_outcome_under_a_key_without_its_fingerprint_is_not_returned(told: str | None) -> None:
    receipt = asked({**SUCCEEDED, "fingerprint": told}, idempotency_key="order-1")
    with pytest.raises(PaydispatchError, match="older than this SDK"):
        receipt.outcome(10)


def test_a_key_that_stands_for_another_request_is_reported() -> None:
    receipt = asked(IdempotencyKeyReused.of_request("pdr_1"), idempotency_key="order-1")
    with pytest.raises(IdempotencyKeyReused, match="first used with another body"):
        receipt.outcome(10)


def test_a_request_that_was_not_delivered_has_no_outcome() -> None:
    delivery, refusal = MemoryDelivery(), IdempotencyKeyReused("used before")
    delivery.refusals["worker-1"] = refusal
    with (
        pytest.raises(NotDelivered),
        dispatcher.Dispatcher(delivery, outcomes=MemoryReader(SUCCEEDED)),
    ):
        receipt = dispatch()
    with pytest.raises(IdempotencyKeyReused, match="used before"):
        receipt.outcome(10)


def test_a_dispatcher_without_a_way_to_the_api_says_what_is_missing() -> None:
    with dispatcher.Dispatcher(MemoryDelivery()):
        receipt = dispatch()
    with pytest.raises(BadSetting, match="PAYDISPATCH_API_URL"):
        receipt.outcome(10)


def test_a_wait_looks_at_growing_distances() -> None:
    pauses = first(pauses_s(), 30)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.1, 2.0)


def first(values: Iterator[float], count: int) -> list[float]:
    return [next(values) for _ in range(count)]


def test_the_outcome_shows_no_key() -> None:
    outcome = asked(SUCCEEDED).outcome(10)
    assert isinstance(outcome, Outcome)
    assert repr(outcome) == "<Outcome succeeded of pdr_1>"


def test_both_ways_to_the_queue_can_be_given_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("REQUEST_QUEUE_URL", "SEALING_KEY_ID", "AWS_DEFAULT_REGION")
    for name in names:
        monkeypatch.setenv(name, "https://sqs.example/q")
    monkeypatch.delenv("PAYDISPATCH_API_URL", raising=False)
    assert Dispatcher.from_env()._outcomes is None
    assert Dispatcher.from_env(status_url="https://api.example")._outcomes is not None
    assert Dispatcher.http("https://api.example")._outcomes is not None
    monkeypatch.setenv("PAYDISPATCH_API_URL", "https://api.example")
    assert Dispatcher.from_env()._outcomes is not None
    monkeypatch.setenv("PAYDISPATCH_API_URL", "http://api.example")
    with pytest.raises(BadSetting, match="status_url"):
        Dispatcher.from_env()


@pytest.mark.parametrize(
    ("answer", "printed"), [(SUCCEEDED, "pi_1"), (FAILED, "No such customer")], ids=["ok", "failed"]
)
def test_the_example_of_the_page_shows_the_outcome(
    answer: Mapping[str, Any], printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[3] / "docs/programs/outcomes.md").read_text("utf-8")
    example = page.split("```python\n")[1].split("```")[0]
    exec(example, {"receipt": asked(answer)})  # noqa: S102
    assert capsys.readouterr().out.strip() == printed
