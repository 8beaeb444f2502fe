"""Objects that parameters name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

PRICE = "currency=usd&unit_amount=500&product="


def test_a_strict_twin_refuses_an_object_that_does_not_exist(strict_stripe: Client) -> None:
    reply = strict_stripe.post("/v1/prices", PRICE + "prod_gone")
    assert (reply.status, reply.error["code"], reply.error["param"]) == (
        400,
        "resource_missing",
        "product",
    )
    assert strict_stripe.effects() == []


def test_a_strict_twin_accepts_an_object_that_exists(strict_stripe: Client) -> None:
    product = strict_stripe.post("/v1/products", "name=Tea").json
    assert strict_stripe.post("/v1/prices", PRICE + product["id"]).status == 200


def test_an_object_of_another_account_does_not_exist(strict_stripe: Client) -> None:
    product = strict_stripe.with_key("sk_test_two").post("/v1/products", "name=Tea").json
    assert strict_stripe.post("/v1/prices", PRICE + product["id"]).status == 400


def test_a_reference_deep_inside_is_named_by_its_path(strict_stripe: Client) -> None:
    customer = strict_stripe.post("/v1/customers", "name=Ada").json["id"]
    reply = strict_stripe.post(
        "/v1/subscriptions", f"customer={customer}&items[0][price]=price_gone"
    )
    assert reply.error["param"] == "items[0][price]"


def test_metadata_names_no_objects(strict_stripe: Client) -> None:
    assert strict_stripe.post("/v1/products", "name=Tea&metadata[price]=low").status == 200


def test_a_lenient_twin_accepts_any_id(stripe: Client) -> None:
    form = "customer=cus_customer123&items[0][price]=price_anything"
    made = stripe.post("/v1/subscriptions", form).json
    assert made["customer"] == "cus_customer123"
    assert made["items"]["data"][0]["price"]["id"] == "price_anything"
