"""A warning for a parameter is logged once a minute, however often a program sends the parameter."""

from __future__ import annotations

import logging

import pytest

from paydispatch.domain.parameters.verdict import ParamWarning
from paydispatch.sdk.param_warnings import MOST_KNOWN, QUIET_FOR_S, ParamWarnings
from paydispatch.sdk.receipt import Receipt


class Clock:
    now_s = 100.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def warnings(clock: Clock) -> ParamWarnings:
    return ParamWarnings(lambda: clock.now_s)


def receipt(operation: str = "create_product") -> Receipt:
    return Receipt(
        request_id="pdr_1",
        operation=operation,
        object_name="product",
        worker_id="worker-1",
        context_id="context-1",
    )


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]


def test_a_repeated_warning_is_logged_once_a_minute(
    warnings: ParamWarnings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        warnings.log(receipt(), [ParamWarning("tea", "Unknown.")])
    assert len(lines(caplog)) == 1
    clock.now_s += QUIET_FOR_S - 0.001
    warnings.log(receipt(), [ParamWarning("tea", "Unknown.")])
    assert len(lines(caplog)) == 1
    clock.now_s += 0.001
    warnings.log(receipt(), [ParamWarning("tea", "Unknown.")])
    assert len(lines(caplog)) == 2


def test_another_parameter_or_another_operation_is_another_warning(
    warnings: ParamWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    warnings.log(receipt(), [ParamWarning("tea", "Unknown."), ParamWarning("cup", "Unknown.")])
    warnings.log(receipt("update_product"), [ParamWarning("tea", "Unknown.")])
    assert len(lines(caplog)) == 3


def test_the_memory_of_warnings_is_bounded(
    warnings: ParamWarnings, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3 * MOST_KNOWN):
        warnings.log(receipt(), [ParamWarning(f"tea[{number}]", "Unknown.")])
    assert len(warnings._logged_at) <= MOST_KNOWN
    assert len(lines(caplog)) == 3 * MOST_KNOWN
