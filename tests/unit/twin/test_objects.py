"""The answer to a create."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from tests.unit.schema.bodies import Bodies

from paydispatch.domain.form_encoding import encode
from paydispatch.domain.parameters.check import check_params, parameter_schema
from paydispatch.domain.stripe.resources import RESOURCES, Resource, create_of, resource_named
from paydispatch.twin.objects.shapes import response_schema
from paydispatch.twin.objects.traits import traits_of
from paydispatch.twin.wire.coercion import FormReader
from paydispatch.twin.wire.forms import nest, read_pairs

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

CREATES: dict[str, dict[str, str]] = json.loads(
    (Path(__file__).parent / "creates.json").read_text("utf-8")
)
BODIES = 60
STRIPES_OWN_RULES = {"resource_already_exists"}
"""Codes of refusals that a body may get although the document allows it."""

EVERY_OBJECT = pytest.mark.parametrize("resource", RESOURCES, ids=lambda row: row.name)


def whole(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return a validator for an object without expansions."""
    schema = response_schema(name)
    required = set(schema["required"]) - set(traits_of(name).on_request)
    return jsonschema_rs.Draft202012Validator({**schema, "required": sorted(required)})


def create(stripe: Client, name: str, **more: str) -> dict[str, Any]:
    reply = stripe.post(resource_named(name).endpoint, {**CREATES[name], **more})
    assert reply.status == 200, reply.text
    made: dict[str, Any] = reply.json
    return made


@EVERY_OBJECT
def test_a_create_answers_with_the_whole_object(stripe: Client, resource: Resource) -> None:
    made = create(stripe, resource.name)
    assert [str(error) for error in whole(resource.name).iter_errors(made)] == []
    assert made["object"] == resource.name
    assert list(made)[:2] == ["id", "object"]


@EVERY_OBJECT
def test_the_metadata_is_echoed(stripe: Client, resource: Resource) -> None:
    made = create(stripe, resource.name, **{"metadata[order]": "1001", "metadata[gone]": ""})
    assert made["metadata"] == {**made["metadata"], "order": "1001"}
    assert "gone" not in made["metadata"]


@EVERY_OBJECT
def test_a_created_object_can_be_retrieved_and_is_listed(
    stripe: Client, resource: Resource
) -> None:
    made = create(stripe, resource.name)
    assert stripe.get(f"{resource.endpoint}/{made['id']}").json == made
    assert stripe.get(resource.endpoint, "limit=1").json["data"] == [made]


@EVERY_OBJECT
def test_a_create_is_one_effect(stripe: Client, resource: Resource) -> None:
    made = create(stripe, resource.name)
    effects = [(effect["object"], effect["id"]) for effect in stripe.effects()]
    assert effects == [(resource.name, made["id"])]


@EVERY_OBJECT
def test_an_unknown_parameter_is_refused_by_name(stripe: Client, resource: Resource) -> None:
    reply = stripe.post(resource.endpoint, {**CREATES[resource.name], "nonsense": "1"})
    assert (reply.status, reply.error["code"]) == (400, "parameter_unknown")
    assert reply.error["param"] == "nonsense"
    assert stripe.effects() == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("product", {"active": True, "livemode": False, "created": 1_700_000_000}),
        ("price", {"type": "recurring", "unit_amount": 500, "unit_amount_decimal": "500"}),
        ("subscription", {"status": "trialing", "trial_end": 1_700_000_000 + 14 * 86_400}),
        ("payment_intent", {"status": "succeeded", "amount": 2000, "amount_received": 2000}),
        ("coupon", {"percent_off": 25.5, "duration_in_months": 3, "valid": True}),
    ],
)
def test_fields_have_the_values_stripe_gives_them(
    stripe: Client, name: str, fields: dict[str, Any]
) -> None:
    made = create(stripe, name)
    assert fields.items() <= made.items()


def test_a_currency_in_capitals_is_answered_in_lower_case(stripe: Client) -> None:
    assert stripe.post("/v1/payment_intents", "amount=500&currency=EUR").json["currency"] == "eur"


def test_a_nested_value_is_completed(stripe: Client) -> None:
    recurring = create(stripe, "price")["recurring"]
    assert recurring == {
        "interval": "month",
        "interval_count": 1,
        "meter": None,
        "usage_type": "licensed",
    }


def test_a_products_default_price_exists(stripe: Client) -> None:
    product = create(stripe, "product")
    price = stripe.get(f"/v1/prices/{product['default_price']}").json
    assert (price["product"], price["unit_amount"]) == (product["id"], 500)


def test_a_prices_own_product_exists(stripe: Client) -> None:
    price = create(stripe, "price")
    assert stripe.get(f"/v1/products/{price['product']}").json["name"] == "Tea"


def test_a_subscriptions_items_hold_their_prices(stripe: Client) -> None:
    price = create(stripe, "price")
    subscription = create(stripe, "subscription", **{"items[0][price]": price["id"]})
    (item,) = subscription["items"]["data"]
    assert (item["object"], item["subscription"], item["quantity"]) == (
        "subscription_item",
        subscription["id"],
        2,
    )
    assert item["price"] == price
    assert subscription["currency"] == "usd"


def test_a_chosen_id_is_used_once_and_refused_afterwards(stripe: Client) -> None:
    assert create(stripe, "coupon", id="SUMMER")["id"] == "SUMMER"
    again = stripe.post("/v1/coupons", {**CREATES["coupon"], "id": "SUMMER"})
    assert (again.status, again.error["code"]) == (400, "resource_already_exists")


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, "requires_payment_method"),
        ({"payment_method": "pm_card_visa"}, "requires_confirmation"),
        ({"payment_method": "pm_card_visa", "confirm": "true"}, "succeeded"),
        (
            {"payment_method": "pm_1", "confirm": "true", "capture_method": "manual"},
            "requires_capture",
        ),
        (
            {"payment_method": "pm_card_authenticationRequired", "confirm": "true"},
            "requires_action",
        ),
    ],
)
def test_a_payment_intents_status_follows_from_its_parameters(
    stripe: Client, form: dict[str, str], status: str
) -> None:
    url = {"return_url": "https://example.com/done"} if "confirm" in form else {}
    asked = {"amount": "2000", "currency": "usd", **url, **form}
    made = stripe.post("/v1/payment_intents", asked).json
    assert made["status"] == status


@pytest.mark.parametrize(
    ("path", "form", "param", "code"),
    [
        ("/v1/payment_intents", "currency=usd", "amount", "parameter_missing"),
        ("/v1/payment_intents", "currency=usd&amount=ten", "amount", "parameter_invalid_integer"),
        (
            "/v1/subscriptions",
            "customer=c&items[0][prise]=p",
            "items[0][prise]",
            "parameter_unknown",
        ),
        ("/v1/products", "name=Tea&active=perhaps", "active", "parameter_invalid_boolean"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_code(
    stripe: Client, path: str, form: str, param: str, code: str
) -> None:
    reply = stripe.post(path, form)
    assert (reply.status, reply.error["param"], reply.error["code"]) == (400, param, code)


def test_a_json_body_is_refused(stripe: Client) -> None:
    reply = stripe.post("/v1/products", '{"name": "Tea"}', content_type="application/json")
    assert reply.status == 400
    assert "x-www-form-urlencoded" in reply.error["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/nonsense"),
        ("GET", "/v2/products"),
        ("DELETE", "/v1/products"),
        ("PATCH", "/v1/products/prod_1"),
    ],
)
def test_an_address_stripe_does_not_have_is_404(stripe: Client, method: str, path: str) -> None:
    assert stripe.finish(stripe.start(method, path)).status == 404


def test_a_missing_object_is_404(stripe: Client) -> None:
    reply = stripe.get("/v1/payment_intents/pi_gone")
    assert (reply.status, reply.error["code"], reply.error["param"]) == (
        404,
        "resource_missing",
        "id",
    )
    assert reply.error["message"] == "No such payment_intent: 'pi_gone'"


def test_the_version_of_the_caller_is_repeated(stripe: Client) -> None:
    assert (
        stripe.get("/v1/products", stripe_version="2024-01-01").headers["Stripe-Version"]
        == "2024-01-01"
    )


def test_the_same_seed_gives_the_same_ids(with_seed: Any) -> None:
    first, again = (create(with_seed(3), "product")["id"] for _ in range(2))
    assert first == again


@EVERY_OBJECT
def test_any_valid_create_gives_a_whole_object(stripe: Client, resource: Resource) -> None:
    bodies = Bodies(resource.operation, seed=3)
    answer = whole(resource.name)
    made = 0
    for _ in range(BODIES):
        form = encode({**bodies.valid(), "expand": None, "payment_method_types": None})
        if any(check_params(resource.operation, read_form(resource.name, form))):
            continue  # a required container was empty, and a form cannot express that
        reply = stripe.post(resource.endpoint, form.decode())
        if reply.status == 400:
            assert reply.error["code"] in STRIPES_OWN_RULES
            continue
        assert answer.is_valid(reply.json), reply.text
        made += 1
    assert made > BODIES / 3


def read_form(name: str, form: bytes) -> dict[str, Any]:
    return FormReader(parameter_schema(create_of(name))).read(nest(read_pairs(form.decode())))


def test_the_twin_accepts_our_metadata_pair(stripe: Client) -> None:
    form = "name=Tea&metadata[paydispatch_request_id]=pdr_1&metadata[order]=1"
    made = stripe.post("/v1/products", form).json
    assert made["metadata"] == {"paydispatch_request_id": "pdr_1", "order": "1"}
