"""The effect of the first answer under a key on all later ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

    from paydispatch.twin.clock import TwinClock

PRODUCT = "name=Tea&metadata[order]=1"
DECLINED = (
    "amount=2000&currency=usd&confirm=true&payment_method=pm_card_chargeDeclined"
    "&return_url=https://example.com/done"
)


def test_a_replay_returns_the_first_answer_and_makes_nothing(stripe: Client) -> None:
    first = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    replay = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    assert (replay.status, replay.text) == (200, first.text)
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert replay.headers["Original-Request"] == first.headers["Request-Id"]
    assert replay.headers["Request-Id"] != first.headers["Request-Id"]
    assert len(stripe.effects()) == 1


def test_the_first_answer_is_not_marked_as_a_replay(stripe: Client) -> None:
    first = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    assert "Idempotent-Replayed" not in first.headers
    assert first.headers["Idempotency-Key"] == "k"


def test_the_order_of_the_pairs_does_not_matter(stripe: Client) -> None:
    stripe.post("/v1/products", "name=Tea&description=Green", idempotency_key="k")
    again = stripe.post("/v1/products", "description=Green&name=Tea", idempotency_key="k")
    assert again.headers["Idempotent-Replayed"] == "true"


def test_without_a_key_every_call_makes_an_object(stripe: Client) -> None:
    stripe.post("/v1/products", PRODUCT)
    stripe.post("/v1/products", PRODUCT)
    assert len(stripe.effects()) == 2


def test_other_parameters_under_the_same_key_are_an_idempotency_error(stripe: Client) -> None:
    stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    other = stripe.post("/v1/products", "name=Coffee", idempotency_key="k")
    assert (other.status, other.error["type"]) == (400, "idempotency_error")
    assert len(stripe.effects()) == 1


def test_another_endpoint_under_the_same_key_is_an_idempotency_error(stripe: Client) -> None:
    stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    other = stripe.post("/v1/coupons", "percent_off=10", idempotency_key="k")
    assert (other.status, other.error["type"]) == (400, "idempotency_error")


def test_a_key_is_in_use_while_its_first_call_runs(stripe: Client) -> None:
    running = stripe.start("POST", "/v1/products", PRODUCT, idempotency_key="k")
    meanwhile = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    assert (meanwhile.status, meanwhile.error["code"]) == (409, "idempotency_key_in_use")
    first = stripe.finish(running)
    assert stripe.post("/v1/products", PRODUCT, idempotency_key="k").text == first.text


def test_the_same_key_of_two_accounts_is_two_keys(stripe: Client) -> None:
    stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    other = stripe.with_key("sk_test_two")
    assert (
        "Idempotent-Replayed"
        not in other.post("/v1/products", PRODUCT, idempotency_key="k").headers
    )
    assert len(stripe.effects()) == 2


def test_a_declined_card_is_replayed(stripe: Client) -> None:
    first = stripe.post("/v1/payment_intents", DECLINED, idempotency_key="k")
    replay = stripe.post("/v1/payment_intents", DECLINED, idempotency_key="k")
    assert (replay.status, replay.text) == (402, first.text)
    assert replay.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("when", ["during", "after"])
def test_a_500_after_execution_began_is_replayed(stripe: Client, when: str) -> None:
    stripe.fault({"kind": "status", "status": 500, "when": when}, times=1)
    first = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    replay = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    assert (replay.status, replay.text) == (500, first.text)
    assert replay.headers["Idempotent-Replayed"] == "true"
    assert len(stripe.effects()) == (1 if when == "after" else 0)


def test_a_500_before_execution_is_not_replayed(stripe: Client) -> None:
    stripe.fault({"kind": "status", "status": 500}, times=1)
    assert stripe.post("/v1/products", PRODUCT, idempotency_key="k").status == 500
    again = stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    assert again.status == 200
    assert "Idempotent-Replayed" not in again.headers


@pytest.mark.parametrize("status", [401, 409, 429])
def test_a_refusal_before_execution_is_not_replayed(stripe: Client, status: int) -> None:
    stripe.fault({"kind": "status", "status": status, "when": "after"}, times=1)
    assert stripe.post("/v1/products", PRODUCT, idempotency_key="k").status == status
    assert stripe.effects() == []
    assert stripe.post("/v1/products", PRODUCT, idempotency_key="k").status == 200


def test_a_refusal_of_invalid_parameters_is_not_replayed(stripe: Client) -> None:
    assert stripe.post("/v1/products", "label=Tea", idempotency_key="k").status == 400
    assert stripe.post("/v1/products", "name=Tea", idempotency_key="k").status == 200


def test_a_refusal_of_a_missing_reference_is_replayed(strict_stripe: Client) -> None:
    price = "currency=usd&unit_amount=1&product=prod_later"
    first = strict_stripe.post("/v1/prices", price, idempotency_key="k")
    strict_stripe.post("/v1/products", "name=Tea&id=prod_later")
    replay = strict_stripe.post("/v1/prices", price, idempotency_key="k")
    assert (replay.status, replay.text) == (400, first.text)


def test_a_key_is_forgotten_after_a_day_on_the_twins_clock(
    stripe: Client, clock: TwinClock
) -> None:
    stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    clock.advance(24 * 3600 - 1)
    assert (
        "Idempotent-Replayed" in stripe.post("/v1/products", PRODUCT, idempotency_key="k").headers
    )
    clock.advance(1)
    assert (
        "Idempotent-Replayed"
        not in stripe.post("/v1/products", PRODUCT, idempotency_key="k").headers
    )
    assert len(stripe.effects()) == 2


def test_a_forgotten_key_may_be_used_for_something_else(stripe: Client, clock: TwinClock) -> None:
    stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    clock.advance(25 * 3600)
    assert stripe.post("/v1/coupons", "percent_off=10", idempotency_key="k").status == 200


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_of_a_wrong_length_is_refused(stripe: Client, key: str) -> None:
    assert stripe.post("/v1/products", PRODUCT, idempotency_key=key).status == 400


def test_an_execution_that_breaks_leaves_the_key_free(
    stripe: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("paydispatch.twin.creates.make", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            stripe.post("/v1/products", PRODUCT, idempotency_key="k")
    assert stripe.post("/v1/products", PRODUCT, idempotency_key="k").status == 200
