"""A bill multiplies what was used with the price list, and names every meter."""

import pytest

from paydispatch.domain.cost.bill import LambdaUse, Use, bill
from paydispatch.domain.cost.prices import OTHER_ENGINES, PRICES, Price


def test_lambda_is_billed_by_memory_and_time_and_by_invocation() -> None:
    caller = LambdaUse(function="caller", memory_gb=0.5, invocations=1e6, billed_ms=2e9)
    made = bill(Use(functions=[caller]))
    assert made.usd == pytest.approx(1e6 * 0.0000133334 + 0.20)
    assert made.lambda_usd == made.usd


def test_every_other_meter_has_a_line_of_its_own() -> None:
    use = Use(
        queue_requests=1e6,
        doorbell_requests=1e6,
        http_requests=1e6,
        log_bytes=1e9,
        kms_requests=1e4,
    )
    made = bill(use)
    assert {line.name: round(line.usd, 6) for line in made.lines} == {
        "SQS: request queue": 0.4,
        "SQS: doorbells": 0.4,
        "API Gateway": 1.0,
        "CloudWatch Logs": 0.5,
        "KMS": 0.03,
    }
    assert made.lambda_usd == 0


def test_a_meter_that_was_not_used_has_no_line() -> None:
    assert bill(Use()).lines == []


def test_every_price_has_a_source_and_a_month() -> None:
    prices = [getattr(PRICES, name) for name in PRICES.__dataclass_fields__]
    for price in [*prices, *(engine.price for engine in OTHER_ENGINES)]:
        assert isinstance(price, Price)
        assert price.usd > 0
        assert price.source.startswith("https://")
        assert len(price.as_of) == len("2026-11")
