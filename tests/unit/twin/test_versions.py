"""The twin knows the version of today. A call may name another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION
from paydispatch.twin.objects.traits import traits_of

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

INTENT = {"amount": "2000", "currency": "usd"}
SESSION = {
    "mode": "setup",
    "currency": "usd",
    "success_url": "https://example.com/ok",
}
OLDER = {"payment_method_types[0]": "card"}

each_with_payment_methods = pytest.mark.parametrize(
    ("path", "form"), [("/v1/payment_intents", INTENT), ("/v1/checkout/sessions", SESSION)]
)


@each_with_payment_methods
@pytest.mark.parametrize("headers", [{}, {"stripe_version": STRIPE_API_VERSION}])
def test_the_list_of_payment_methods_is_refused_today(
    stripe: Client, path: str, form: dict[str, Any], headers: dict[str, str]
) -> None:
    reply = stripe.post(path, form | OLDER, **headers)
    assert reply.status == 400
    assert reply.error["code"] == "payment_method_types_no_longer_supported"
    assert reply.error["param"] == "payment_method_types"


@each_with_payment_methods
def test_the_list_of_payment_methods_is_accepted_by_the_older_version(
    stripe: Client, path: str, form: dict[str, Any]
) -> None:
    reply = stripe.post(path, form | OLDER, stripe_version=OLDER_API_VERSION)
    assert reply.status == 200
    assert reply.json["payment_method_types"] == ["card"]


@each_with_payment_methods
def test_the_allowed_payment_methods_of_today_are_shown(
    stripe: Client, path: str, form: dict[str, Any]
) -> None:
    reply = stripe.post(path, form | {"allowed_payment_method_types[0]": "card"})
    assert reply.json["allowed_payment_method_types"] == ["card"]
    assert stripe.post(path, form).json["allowed_payment_method_types"] is None


def test_the_tax_details_of_a_product_are_shown(stripe: Client) -> None:
    reply = stripe.post("/v1/products", {"name": "Tea", "tax_details[tax_code]": "txcd_1"})
    assert reply.json["tax_details"] == {"performance_location": None, "tax_code": "txcd_1"}
    assert stripe.post("/v1/products", {"name": "Tea"}).json["tax_details"] is None


def test_an_unknown_name_is_accepted_only_if_the_call_names_another_version(
    stripe: Client,
) -> None:
    form = INTENT | {"tea[leaves][0]": "green", "capture_method": "later"}
    assert stripe.post("/v1/payment_intents", form).status == 400
    assert stripe.post("/v1/payment_intents", form, stripe_version="2027-03-31.flora").status == 200


def test_a_wrong_type_is_refused_with_every_version(stripe: Client) -> None:
    form = INTENT | {"confirm": "perhaps"}
    reply = stripe.post("/v1/payment_intents", form, stripe_version="2027-03-31.flora")
    assert reply.error["param"] == "confirm"


def test_a_rule_of_a_version_is_of_the_version_of_today() -> None:
    rules = [rule for row in RESOURCES for rule in traits_of(row.name).refuses]
    assert {rule["version"] for rule in rules if "version" in rule} == {STRIPE_API_VERSION}
