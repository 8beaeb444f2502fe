"""`paydispatch local` prints a sentence for each failing flow and for each request that ends in an error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.local.failures import Failures, describe_failure

if TYPE_CHECKING:
    from pathlib import Path

RUN = {"request_id": "pdr_1", "flow": "new_create_product_response", "attempt": 2}
SETTLED = {"message": "request.settled", "request_id": "pdr_1", "flow": "new_create_product_error"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {**RUN, "message": "flow.raised", "error": "KeyError: 'id'"},
            "flow new_create_product_response of pdr_1 raised in run 2: KeyError: 'id'",
        ),
        (
            {**RUN, "message": "flow.dead", "why": "KeyError: 'id'"},
            "flow new_create_product_response of pdr_1 failed for good: KeyError: 'id'",
        ),
        (
            {**RUN, "message": "flow.missing", "why": "There is no script."},
            "flow new_create_product_response of pdr_1 is missing: There is no script.",
        ),
        (
            {
                **SETTLED,
                "error_kind": "api",
                "error_code": "card_declined",
                "error_certainty": "not_created",
                "error_message": "Your card was declined.",
            },
            "request pdr_1 ended in an error (api error card_declined, not_created: Your card was declined.). "
            "It runs new_create_product_error.",
        ),
        (
            {
                "message": "message.refused",
                "message_id": "m-1",
                "code": "missing",
                "param": "params",
            },
            "message m-1 is no request: missing at params",
        ),
    ],
)
def test_a_failure_is_one_sentence(fields: dict[str, Any], sentence: str) -> None:
    assert describe_failure(fields) == sentence


@pytest.mark.parametrize(
    "fields",
    [SETTLED, {**SETTLED, "error_kind": None}, {**RUN, "message": "flow.finished"}, {}],
    ids=["settled", "no error", "finished", "no event"],
)
def test_a_line_without_a_failure_is_left_out(fields: dict[str, Any]) -> None:
    assert describe_failure(fields) is None


def test_each_failure_is_read_once(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    line = json.dumps({**RUN, "message": "flow.raised", "error": "boom"}) + "\n"
    log.write_text("not JSON\n" + line)
    failures = Failures(tmp_path)

    first, again = list(failures.read()), list(failures.read())
    with log.open("a") as file:
        file.write(line)

    assert (len(first), len(again), len(list(failures.read()))) == (1, 0, 1)
