"""A rehearsal answers as the API does, and sends nothing."""

from __future__ import annotations

from typing import Any

import pytest
from openapi.example_params import example_params

from paydispatch.compose.console.rehearsal import answer_of_api
from paydispatch.compose.console.trials import TRIAL_KEY, StackTrials
from paydispatch.domain.errors import InvalidField
from paydispatch.domain.stripe.resources import RESOURCES, Resource

WHO = {"worker_id": "w", "context_id": "c", "stripe_secret": TRIAL_KEY}


@pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)
def test_a_valid_request_would_be_accepted(row: Resource) -> None:
    body = {**WHO, "params": example_params(row.operation)}
    answer = answer_of_api("POST", row.endpoint, body)
    assert answer["http_status"] == 202
    assert answer["answer"]["operation"] == row.operation


def test_a_fault_is_named_as_the_api_names_it() -> None:
    answer = answer_of_api("POST", "/v1/products", {**WHO, "params": {"nmae": "Book"}})
    assert answer["http_status"] == 422
    assert {one["param"] for one in answer["answer"]["errors"]} == {"name", "nmae"}


def test_a_request_without_an_operation_is_a_404() -> None:
    assert answer_of_api("POST", "/v1/nothing", WHO)["http_status"] == 404


def test_the_same_request_under_one_key_is_no_replay() -> None:
    body = {**WHO, "params": {"name": "Book"}, "idempotency_key": "order-1"}
    first, second = (answer_of_api("POST", "/v1/products", body) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("path", ["//evil.example/v1/products", "@evil.example", "/_twin/ledger"])
def test_no_path_leads_to_another_place(path: str) -> None:
    never: Any = None
    with pytest.raises(InvalidField, match="path"):
        StackTrials(never, "http://api", "http://twin").rehearse("POST", path, {})
