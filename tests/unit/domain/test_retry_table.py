"""Every row of Stripe's error table, by latch, by `Stripe-Should-Retry`, by deadline left or spent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

import pytest
from tests.unit.examples import NOW_S

from paydispatch.domain.attempts import Attempt, NotSent, Unknown, classify
from paydispatch.domain.outcomes import Certainty, Error, Response
from paydispatch.domain.progress import Progress
from paydispatch.domain.retry import Again, Decision, GivenUp, Settled, decide

Verdict = Literal["success", "answer", "refused", "again", "doubt"]


@dataclass(frozen=True)
class Row:
    """The verdict if Stripe-Should-Retry is absent, `true` or `false`. `doubt`: give up with an unknown outcome."""

    name: str
    status: int
    error: Any
    silent: Verdict
    said_yes: Verdict
    said_no: Verdict
    raises_doubt: bool = False

    def attempt(self, header: str | None) -> Attempt:
        headers = {} if header is None else {"stripe-should-retry": header}
        body = self.error if isinstance(self.error, str | None) else {"error": self.error}
        return classify(self.status, headers, {"id": "pi_1"} if self.name == "success" else body)

    def verdict(self, header: str | None) -> Verdict:
        return {None: self.silent, "true": self.said_yes, "false": self.said_no}[header]


INVALID = {"type": "invalid_request_error", "message": "no"}
REUSED = {"type": "idempotency_error", "message": "other parameters"}
IN_USE = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "wait"}
LOCKED = {"type": "invalid_request_error", "code": "lock_timeout", "message": "locked"}
RATE = {"type": "rate_limit", "code": "rate_limit", "message": "slow down"}
CARD = {"type": "card_error", "code": "card_declined", "message": "declined"}
SORRY = {"type": "api_error", "message": "sorry"}

TABLE = (
    #   name                    HTTP body     silent     true       false
    Row("success",               200, None,    "success", "success", "success"),
    Row("400 invalid",           400, INVALID, "refused", "again",   "refused"),
    Row("404 invalid",           404, INVALID, "refused", "again",   "refused"),
    Row("400 other parameters",  400, REUSED,  "doubt",   "again",   "doubt", raises_doubt=True),
    Row("401",                   401, INVALID, "refused", "again",   "refused"),
    Row("403",                   403, INVALID, "refused", "again",   "refused"),
    Row("402 card",              402, CARD,    "answer",  "answer",  "answer"),
    Row("409 in use",            409, IN_USE,  "again",   "again",   "doubt", raises_doubt=True),
    Row("409 lock",              409, LOCKED,  "again",   "again",   "refused"),
    Row("429 rate limit",        429, RATE,    "again",   "again",   "refused"),
    Row("429 lock_timeout",      429, LOCKED,  "again",   "again",   "refused"),
    Row("500",                   500, SORRY,   "again",   "again",   "doubt", raises_doubt=True),
    Row("503",                   503, SORRY,   "again",   "again",   "doubt", raises_doubt=True),
    Row("502 not JSON",          502, None,    "again",   "again",   "doubt", raises_doubt=True),
    Row("200 cut off",           200, None,    "again",   "again",   "doubt", raises_doubt=True),
    Row("400 not JSON",          400, None,    "again",   "again",   "doubt", raises_doubt=True),
)  # fmt: skip

EVERY_CASE = [
    pytest.param(*case, id=f"{case[0].name}, {case[1] or 'silent'}, latch {case[2]}, {case[3]}")
    for case in product(TABLE, (None, "true", "false"), (False, True), ("time left", "spent"))
]


def progress(*, latched: bool, deadline: str) -> Progress:
    return Progress(
        deadline_at=NOW_S + (3600 if deadline == "time left" else 0.0),
        attempt=3,
        maybe_executed=latched,
        first_sent_at=NOW_S - 60,
    )


@pytest.mark.parametrize(("row", "header", "latched", "deadline"), EVERY_CASE)
def test_each_row_of_the_table_gives_its_verdict(
    row: Row, header: str | None, latched: bool, deadline: str
) -> None:
    before = progress(latched=latched, deadline=deadline)
    decision = decide(row.attempt(header), before, NOW_S, 0.5)
    in_doubt = latched or row.raises_doubt
    match row.verdict(header):
        case "success":
            assert isinstance(decision, Settled)
            assert isinstance(decision.outcome, Response)
            assert decision.outcome.attempts == 3
        case "answer":
            assert_error(decision, Settled, Certainty.NOT_CREATED)
        case "again" if deadline == "time left":
            latched_now = replace(before, attempt=4, maybe_executed=in_doubt)
            assert decision == Again(delay_s=1.0, progress=latched_now)
        case _ if in_doubt:
            assert_error(decision, GivenUp, Certainty.UNKNOWN)
        case "refused":
            assert_error(decision, Settled, Certainty.NOT_CREATED)
        case _:
            assert_error(decision, GivenUp, Certainty.NOT_CREATED)


def assert_error(decision: Decision, kind: type, certainty: Certainty) -> None:
    assert type(decision) is kind
    assert isinstance(decision, Settled | GivenUp)
    assert isinstance(decision.outcome, Error)
    assert decision.outcome.certainty is certainty


NO_ANSWER = {
    "no connection": (NotSent("connection refused"), False),
    "timeout": (Unknown("no answer within 80 s", "timeout"), True),
    "reset after sending": (Unknown("reset by peer", "connection_lost"), True),
}
"""{row: (attempt, whether it sets `maybe_executed`)}. Without an answer there is no Stripe-Should-Retry."""


@pytest.mark.parametrize("latched", [False, True])
@pytest.mark.parametrize("name", NO_ANSWER)
def test_an_attempt_without_an_answer_is_retried(name: str, latched: bool) -> None:
    attempt, raises_doubt = NO_ANSWER[name]
    before = progress(latched=latched, deadline="time left")
    decision = decide(attempt, before, NOW_S, 0.5)
    after = replace(before, attempt=4, maybe_executed=latched or raises_doubt)
    assert decision == Again(delay_s=1.0, progress=after)


@pytest.mark.parametrize("latched", [False, True])
@pytest.mark.parametrize("name", NO_ANSWER)
def test_an_attempt_without_an_answer_is_given_up_after_the_deadline(
    name: str, latched: bool
) -> None:
    attempt, raises_doubt = NO_ANSWER[name]
    decision = decide(attempt, progress(latched=latched, deadline="spent"), NOW_S, 0.5)
    in_doubt = latched or raises_doubt
    assert_error(decision, GivenUp, Certainty.UNKNOWN if in_doubt else Certainty.NOT_CREATED)


@pytest.mark.parametrize("status", [200, 400, 402, 404])
def test_a_replay_settles_a_latched_request(status: int) -> None:
    replay = classify(status, {"idempotent-replayed": "true"}, {"error": INVALID})
    decision = decide(replay, progress(latched=True, deadline="spent"), NOW_S, 0.5)
    assert isinstance(decision, Settled)
    assert decision.outcome.settled


def test_a_replayed_500_is_given_up_with_an_unknown_outcome() -> None:
    kept = classify(500, {"idempotent-replayed": "true"}, {"error": SORRY})
    decision = decide(kept, progress(latched=False, deadline="time left"), NOW_S, 0.5)
    assert_error(decision, GivenUp, Certainty.UNKNOWN)
