"""Each flow alone, with every outcome that it may get. Nothing leaves the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paydispatch.testing import declined, flow_failed, gave_up, run_flow, unknown

from shop.orders import Order, Orders

if TYPE_CHECKING:
    from paydispatch import ParsedError


@pytest.fixture
def order(orders: Orders) -> Order:
    return orders.add(Order("A-1", 2000, "pm_card_visa"))


def state(orders: Orders) -> str:
    found = orders.find("A-1")
    assert found is not None
    return found.state


def authorised(orders: Orders) -> None:
    orders.move("A-1", "authorised", of=("new",), payment="pi_1")


def test_an_authorised_order_is_captured_once(orders: Orders, order: Order) -> None:
    ran = run_flow(
        "new_create_payment_intent_response",
        parsed_data={"id": "pi_1", "status": "requires_capture"},
        context_id="A-1",
        runs=2,
    )
    ran.assert_dispatched("capture_payment_intent", "pi_1")
    ran.assert_effects(1)
    assert state(orders) == "authorised"


def test_a_declined_order_says_why(orders: Orders, order: Order) -> None:
    run_flow(
        "new_create_payment_intent_error",
        parsed_error=declined("insufficient_funds"),
        context_id="A-1",
    )
    assert state(orders) == "unpaid"


def test_an_unknown_order_is_neither_unpaid_nor_asked_for_again(
    orders: Orders, order: Order
) -> None:
    ran = run_flow("new_create_payment_intent_error", parsed_error=unknown(), context_id="A-1")
    ran.assert_effects(0)
    assert state(orders) == "unclear"


def test_a_captured_order_is_shipped_once(orders: Orders, order: Order) -> None:
    authorised(orders)
    run_flow(
        "new_capture_payment_intent_response", parsed_data={"id": "pi_1"}, context_id="A-1", runs=2
    )
    assert (state(orders), orders.parcels()) == ("paid", ["A-1"])


@pytest.mark.parametrize("error", [declined(), gave_up()], ids=["refused", "gave up"])
def test_the_reservation_is_cancelled_if_nothing_was_captured(
    orders: Orders, order: Order, error: ParsedError
) -> None:
    authorised(orders)
    ran = run_flow(
        "new_capture_payment_intent_error",
        parsed_error=error,
        path={"intent": "pi_1"},
        context_id="A-1",
        runs=2,
    )
    ran.assert_dispatched("cancel_payment_intent", "pi_1")
    ran.assert_effects(1)


@pytest.mark.parametrize("error", [unknown(), flow_failed()], ids=["unknown", "flow failed"])
def test_money_that_may_have_moved_is_not_cancelled(
    orders: Orders, order: Order, error: ParsedError
) -> None:
    authorised(orders)
    ran = run_flow(
        "new_capture_payment_intent_error",
        parsed_error=error,
        path={"intent": "pi_1"},
        context_id="A-1",
    )
    ran.assert_effects(0)
    assert (state(orders), orders.parcels()) == ("unclear", [])
