"""No answer is larger than Lambda allows, however many errors it lists."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.unit.examples import body, create_request

from paydispatch.domain.errors import InvalidField, InvalidParams, MaybeAccepted, ParamError
from paydispatch.domain.limits import BATCH_ITEMS_LIMIT
from paydispatch.domain.parameters.verdict import ParamWarning
from paydispatch.handlers.api.answers import batch_answer, error_answer
from paydispatch.handlers.api.budget import ANSWER_BYTES, MOST_ERRORS
from paydispatch.services.accept import Accepted

if TYPE_CHECKING:
    from tests.unit.handlers.conftest import Client

    from paydispatch.domain.errors import PaydispatchError

LAMBDA_BYTES = 6 * 1024 * 1024
LONGEST_TEXT = '"\U0001f375' * 130
"""The longest text of a field, made of the characters that take the most bytes in an answer."""


def answer_bytes(text: str) -> int:
    return len(json.dumps({"statusCode": 422, "body": text}))


def faults(count: int, text: str) -> InvalidParams:
    return InvalidParams(
        [ParamError(f"{text}[{n}]", "parameter_unknown", text) for n in range(count)]
    )


def accepted(count: int, text: str) -> Accepted:
    warnings = tuple(ParamWarning(f"{text}[{n}]", text) for n in range(count))
    return Accepted("pdr_" + "0" * 26, create_request(), warnings=warnings)


texts = st.text(max_size=40).flatmap(lambda t: st.integers(1, 400).map(lambda times: t * times))
results = st.one_of(
    st.builds(faults, st.integers(1, 300), texts),
    st.builds(accepted, st.integers(0, 100), texts),
    st.builds(InvalidField, texts, texts),
    st.builds(
        lambda key: MaybeAccepted("", request_id="pdr_" + "0" * 26, idempotency_key=key),
        st.text(max_size=255),
    ),
)


@settings(max_examples=15, deadline=None, phases=[Phase.generate])
@given(st.lists(results, min_size=1, max_size=12))
def test_the_answer_to_a_thousand_faulty_items_fits_into_lambdas_limit(
    kinds: list[PaydispatchError],
) -> None:
    answer = batch_answer((kinds * BATCH_ITEMS_LIMIT)[:BATCH_ITEMS_LIMIT])
    assert answer_bytes(answer.body or "") < LAMBDA_BYTES
    assert len(json.loads(answer.body or "")["results"]) == BATCH_ITEMS_LIMIT


def test_the_answer_to_a_thousand_accepted_items_with_the_longest_names_fits() -> None:
    request = create_request(worker_id='"' * 128, context_id=LONGEST_TEXT[:255])
    taken = Accepted("pdr_" + "0" * 26, request, replayed=True)
    answer = batch_answer([taken] * BATCH_ITEMS_LIMIT)
    assert answer_bytes(answer.body or "") < LAMBDA_BYTES


def test_the_answer_for_a_thousand_lost_answers_with_the_longest_keys_fits() -> None:
    lost = MaybeAccepted("", request_id="pdr_" + "0" * 26, idempotency_key="\U0001f375" * 255)
    answer = batch_answer([lost] * BATCH_ITEMS_LIMIT)
    assert answer_bytes(answer.body or "") < LAMBDA_BYTES


@pytest.mark.parametrize("text", ["x", "x" * 5_000, LONGEST_TEXT * 20])
def test_the_answer_to_a_thousand_items_with_warnings_fits_and_counts_those_left_out(
    text: str,
) -> None:
    answer = batch_answer([accepted(100, text)] * BATCH_ITEMS_LIMIT)
    assert answer_bytes(answer.body or "") < LAMBDA_BYTES
    for item in json.loads(answer.body or "")["results"]:
        assert item["warnings"][0]["param"][0] == text[0]
        assert len(item["warnings"]) + item.get("more_warnings", 0) == 100


@pytest.mark.parametrize("text", ["x", "x" * 5_000, LONGEST_TEXT * 20])
def test_the_errors_of_a_thousand_items_stay_within_their_budget(text: str) -> None:
    answer = batch_answer([faults(500, text)] * BATCH_ITEMS_LIMIT)
    assert answer_bytes(answer.body or "") < ANSWER_BYTES * 1.05


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3_000), texts)
def test_a_create_lists_a_bounded_number_of_errors_and_counts_the_others(
    count: int, text: str
) -> None:
    said: dict[str, Any] = json.loads(error_answer(faults(count, text)).body or "")
    assert said["errors"][0] == said["error"]
    assert len(said["errors"]) + said.get("more_errors", 0) == count
    assert len(said["errors"]) == min(count, MOST_ERRORS)


def test_every_error_of_a_batch_is_shown_if_there_is_room() -> None:
    said = json.loads(batch_answer([faults(8, "colour")]).body or "")
    assert len(said["results"][0]["errors"]) == 8
    assert "more_errors" not in said["results"][0]


def test_a_text_that_is_too_long_is_cut() -> None:
    said = json.loads(error_answer(InvalidField("x" * 500, "é" * 5_000)).body or "")
    assert said["error"]["param"] == "x" * 300 + "…"
    assert said["error"]["message"].rstrip("…") == "é" * (len(said["error"]["message"]) - 1)


def test_the_good_items_of_a_batch_with_many_faults_are_accepted(client: Client) -> None:
    bad = {"object": "coupon", **body(params={f"colour{n}": "red" for n in range(30)})}
    good = {"object": "payment_intent", **body()}
    answer = client.post("/v1/batches", {"requests": [*[bad] * 999, good]})
    assert answer_bytes(answer.text) < LAMBDA_BYTES
    assert answer.json["results"][-1]["status"] == "dispatched"
    assert answer.json["results"][0]["more_errors"] > 0
