"""Another version of Stripe's API in a program that dispatches."""

from __future__ import annotations

import logging

import pytest
from tests.unit.examples import KEY, PARAMS

import paydispatch
from paydispatch.domain.errors import InvalidParams
from paydispatch.sdk.dispatcher import Dispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery

OLDER = {**PARAMS, "payment_method_types": ["card"]}
UNKNOWN = {**PARAMS, "tea": "green"}


def dispatch(params: dict[str, object]) -> None:
    paydispatch.create_payment_intent_async(params, "worker-1", "context-1", KEY)


def test_an_older_parameter_is_dispatched_and_logged_once(
    delivery: MemoryDelivery, caplog: pytest.LogCaptureFixture
) -> None:
    with Dispatcher(delivery):
        dispatch(OLDER)
        dispatch(OLDER)
    sent, _ = delivery.envelopes
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert sent.params == OLDER
    assert sent.request_id in record.getMessage()
    assert "payment_method_types" in record.getMessage()


def test_a_parameter_of_today_is_dispatched_without_a_line(
    delivery: MemoryDelivery, caplog: pytest.LogCaptureFixture
) -> None:
    with Dispatcher(delivery):
        dispatch({**PARAMS, "allowed_payment_method_types": ["card"]})
    assert len(delivery.envelopes) == 1
    assert caplog.records == []


def test_an_unknown_name_is_dispatched_only_if_another_version_is_set(
    delivery: MemoryDelivery,
) -> None:
    with Dispatcher(delivery), pytest.raises(InvalidParams, match="tea"):
        dispatch(UNKNOWN)
    other = MemoryDelivery(stripe_api_version="2027-03-31.flora")
    with Dispatcher(other):
        dispatch(UNKNOWN)
    assert [sent.params for sent in other.envelopes] == [UNKNOWN]
