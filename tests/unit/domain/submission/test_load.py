"""The time of a file's calls is the shortest that both limits and the share of batch work allow."""

from __future__ import annotations

import pytest

from paydispatch.domain.credentials import Credential, SecretRef, StripeKey
from paydispatch.domain.rates.limits import Limits
from paydispatch.domain.requests import Lane, OperationRequest
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.submission.load import LIVE, SANDBOX, Load

LIMITS = Limits(account=100, operation=25, operations={"create_coupon": 10})
NAMED = SecretRef("shop")


def load_of(*groups: tuple[int, OperationRequest]) -> Load:
    load = Load()
    for count, request in groups:
        for _ in range(count):
            load.add(request)
    return load


def request(
    operation: str = "create_product",
    lane: Lane = Lane.INTERACTIVE,
    credential: Credential = NAMED,
    account: str | None = None,
) -> OperationRequest:
    return OperationRequest(
        operation=operation_named(operation),
        params={},
        worker_id="w",
        context_id="c",
        credential=credential,
        lane=lane,
        stripe_account=account,
    )


@pytest.mark.parametrize(
    ("groups", "seconds"),
    [
        ([], 0.0),
        ([(50, request())], 2.0),
        ([(50, request("create_coupon"))], 5.0),
        ([(50, request(lane=Lane.BATCH))], 2.5),
        ([(50, request()), (50, request("create_price"))], 2.0),
        ([(50, request(account="acct_1")), (50, request(account="acct_2"))], 2.0),
        ([(25, request()), (25, request(lane=Lane.BATCH))], 2.0),
    ],
)
def test_the_slowest_limit_of_the_slowest_account_decides(
    groups: list[tuple[int, OperationRequest]], seconds: float
) -> None:
    assert load_of(*groups).duration_s(LIVE, LIMITS, 0.8) == seconds


def test_the_account_limit_decides_for_many_operations() -> None:
    names = ("create_product", "create_price", "create_customer", "create_plan", "create_refund")
    load = load_of(*[(25, request(name)) for name in names])
    assert load.duration_s(LIVE, Limits(account=50, operation=25), 0.8) == 2.5


def test_no_limit_takes_no_time() -> None:
    assert load_of((9, request())).duration_s(LIVE, Limits(account=None, operation=None), 1) == 0


def test_a_key_counts_in_its_mode_and_a_name_in_each() -> None:
    live, sandbox = (StripeKey(f"sk_{mode}_12345678") for mode in ("live", "test"))
    load = load_of((50, request(credential=live)), (25, request(credential=sandbox)))
    assert load.duration_s(LIVE, LIMITS, 1) == 2.0
    assert load.duration_s(SANDBOX, LIMITS, 1) == 1.0
    assert load_of((1, request())).in_mode(LIVE)
    assert not load_of((1, request(credential=sandbox))).in_mode(LIVE)
