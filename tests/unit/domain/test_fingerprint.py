"""`fingerprint` is equal for requests that are equal for Stripe, and different for all others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.examples import NOW_S, envelope

from paydispatch.domain.claims import claim_of
from paydispatch.domain.identity.fingerprint import VERSION, fingerprint

ASKED: dict[str, Any] = {
    "space": "",
    "worker_id": "worker-1",
    "context_id": "context-1",
    "operation": "create_payment_intent",
    "path": {},
    "params": {"amount": 2000, "currency": "usd"},
    "stripe_account": None,
    "stripe_context": None,
}

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
params = st.dictionaries(st.text(), json_values)


def of(**changes: Any) -> str:
    return fingerprint(**{**ASKED, **changes})


@pytest.mark.parametrize(
    "change",
    [
        {"space": "acme"},
        {"worker_id": "worker-2"},
        {"context_id": "context-2"},
        {"operation": "create_product"},
        {"path": {"intent": "pi_1"}},
        {"params": {"amount": 2001, "currency": "usd"}},
        {"stripe_account": "acct_1"},
        {"stripe_context": "acct_1"},
    ],
    ids=str,
)
def test_a_change_in_any_part_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert of(**change) != of()


def test_the_two_account_headers_are_not_mistaken_for_each_other() -> None:
    assert of(stripe_account="acct_1") != of(stripe_context="acct_1")


@pytest.mark.parametrize(
    "same",
    [
        {"currency": "usd", "amount": 2000},
        {"amount": "2000", "currency": "usd"},
        {"amount": 2000, "currency": "usd", "description": None},
        {"amount": 2000, "currency": "usd", "metadata": {}, "expand": []},
    ],
    ids=str,
)
def test_only_the_form_sent_to_stripe_counts_and_not_its_json(same: dict[str, Any]) -> None:
    assert of(params=same) == of()


def test_the_order_of_a_list_changes_the_fingerprint() -> None:
    assert of(params={"expand": ["a", "b"]}) != of(params={"expand": ["b", "a"]})


def test_a_fingerprint_starts_with_its_version() -> None:
    assert of().startswith(VERSION)


@given(params)
def test_any_json_has_a_fingerprint_that_survives_the_queue(asked: dict[str, Any]) -> None:
    assert of(params=json.loads(json.dumps(asked))) == of(params=asked)


@given(params, st.text(), st.text(min_size=1))
def test_one_more_parameter_changes_the_fingerprint(
    asked: dict[str, Any], name: str, text: str
) -> None:
    assume(name not in asked)
    assert of(params={**asked, name: text}) != of(params=asked)


def test_a_number_that_no_form_can_hold_has_a_fingerprint() -> None:
    endless = json.loads('{"amount": 1e999}')
    assert of(params=endless) == of(params=endless) != of()


def test_the_fingerprint_in_a_message_is_ignored() -> None:
    first = claim_of(envelope(), "local", NOW_S)
    other = envelope(params={"amount": 1, "currency": "usd"}, fingerprint=first.fingerprint)
    assert claim_of(other, "local", NOW_S).fingerprint != first.fingerprint
