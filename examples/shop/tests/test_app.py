"""The application with the whole stack behind it: a lost answer at each step, a decline, a capture that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient

from tests.waiting import wait_until

from shop.app import app
from shop.orders import Order, Orders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.pytest_plugin import RunningStack, TwinControl

ENDS = ("paid", "unpaid", "cancelled")


@pytest.fixture
def client(orders: Orders, paydispatch_stack: RunningStack) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def show(client: TestClient, order: str) -> dict[str, Any]:
    shown: dict[str, Any] = client.get(f"/orders/{order}").json()
    return shown


def ended(client: TestClient, order: str) -> dict[str, Any]:
    """Wait until the order has reached an end, and return it."""
    wait_until(lambda: show(client, order)["state"] in ENDS)
    return show(client, order)


def test_an_order_is_paid_and_shipped_once_though_both_answers_were_lost(
    client: TestClient, orders: Orders, stripe_twin: TwinControl
) -> None:
    stripe_twin.lose_next_answer("create_payment_intent")
    stripe_twin.lose_next_answer("capture_payment_intent")
    for _ in range(2):
        answer = client.post("/orders/lost", json={"amount": 2000, "card": "pm_card_visa"})
        assert answer.status_code == 202

    assert ended(client, "lost")["state"] == "paid"
    stripe_twin.assert_effects(1, "create_payment_intent")
    stripe_twin.assert_effects(1, "capture_payment_intent")
    assert orders.parcels() == ["lost"]


def test_a_declined_card_is_shown_with_its_reason(
    client: TestClient, stripe_twin: TwinControl
) -> None:
    client.post("/orders/poor", json={"amount": 2000, "card": "pm_card_chargeDeclined"})
    shown = ended(client, "poor")
    assert shown["state"] == "unpaid"
    assert "declined" in shown["reason"]


def test_a_capture_that_is_refused_frees_the_money(
    client: TestClient, orders: Orders, stripe_twin: TwinControl
) -> None:
    stripe_twin.refuse_next("capture_payment_intent", code="charge_expired_for_capture")
    client.post("/orders/late", json={"amount": 2000, "card": "pm_card_visa"})
    assert ended(client, "late")["state"] == "cancelled"
    stripe_twin.assert_effects(1, "cancel_payment_intent")
    assert orders.parcels() == []


def test_an_order_that_a_dead_process_left_is_asked_for_at_the_next_start(
    orders: Orders, paydispatch_stack: RunningStack
) -> None:
    orders.add(Order("left", 2000, "pm_card_visa"))
    with TestClient(app) as client:
        assert ended(client, "left")["state"] == "paid"


def test_an_id_that_is_taken_is_refused(client: TestClient) -> None:
    client.post("/orders/taken", json={"amount": 2000, "card": "pm_card_visa"})
    assert (
        client.post("/orders/taken", json={"amount": 1, "card": "pm_card_visa"}).status_code == 409
    )


def test_an_order_that_stripe_would_refuse_is_refused_at_once_and_not_at_the_next_start(
    client: TestClient,
) -> None:
    answer = client.post("/orders/wrong", json={"amount": 2000, "card": "x" * 6_000})
    assert answer.status_code == 422
    assert "payment_method" in answer.json()["detail"]
    with TestClient(app) as restarted:
        assert show(restarted, "wrong")["state"] == "unpaid"
