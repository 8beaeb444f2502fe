"""Creates of the kinds that people send, with the answer that Stripe gives to each.

A row is one kind, with members of several objects. The rules of a kind have property tests of their own: the wire forms
in `test_wire_forms.py`, the rules across fields in `test_nested_rules.py`.
"""

from typing import Any

import pytest

from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.stripe.resources import create_of

CHARGE = {"amount": 2000, "currency": "usd"}
TOKEN = {"type": "card", "card": {"token": "tok_visa"}}
TIERED = {
    "currency": "usd",
    "product": "prod_1",
    "billing_scheme": "tiered",
    "tiers_mode": "graduated",
    "recurring": {"interval": "month"},
}
SALE = {"mode": "payment", "success_url": "https://shop.example/thanks"}
LINE = {"price": "price_1", "quantity": 1}

TAKEN: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "a token of Stripe.js in place of a card": [
        ("payment_intent", {**CHARGE, "confirm": True, "payment_method_data": TOKEN}),
        ("customer", {"source": "tok_visa"}),
    ],
    "an amount of a currency with small units": [
        ("payment_intent", {"amount": 150_000_000, "currency": "cop"}),
        ("payment_intent", {"amount": 999_999_999_999, "currency": "idr"}),
        ("refund", {"charge": "ch_1", "amount": 150_000_000}),
    ],
    "capitals in a currency": [
        ("payment_intent", {"amount": 2000, "currency": "USD"}),
        ("customer", {"balance": 0, "cash_balance": {"settings": {}}}),
        ("coupon", {"amount_off": 500, "currency": "EUR"}),
        ("checkout.session", {**SALE, "line_items": [LINE], "currency": "Usd"}),
    ],
    "capitals in the keys of a map of currencies": [
        (
            "price",
            {**CHARGE, "product": "p", "unit_amount": 5, "currency_options": {"EUR": {"unit_amount": 4}}}
            | {"amount": None},
        ),
        ("coupon", {"amount_off": 5, "currency": "usd", "currency_options": {"EUR": {"amount_off": 4}}}),
    ],
    "a scalar as another JSON type": [
        ("payment_intent", {"amount": "2000", "currency": "usd", "metadata": {"order": 1, "gift": True}}),
        ("price", {**TIERED, "tiers": [{"up_to": "5", "unit_amount": 100}, {"up_to": "inf", "unit_amount": 50}]}),
        ("payment_link", {"line_items": [{"price": "price_1", "quantity": "1"}]}),
    ],
    "an empty text for an optional text": [
        ("product", {"name": "Beans", "description": ""}),
        ("customer", {"name": "", "address": {"line1": "Main Street 1", "line2": ""}}),
    ],
    "a refund of a customer's cash balance": [
        ("refund", {"origin": "customer_balance", "customer": "cus_1", "amount": 5, "currency": "eur"}),
    ],
}  # fmt: skip

REFUSED: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "a required text that is empty": [
        ("product", {"name": ""}, "name"),
        ("price", {"currency": "usd", "unit_amount": 1, "product_data": {"name": ""}}, "product_data[name]"),
        ("subscription", {"customer": "cus_1", "transfer_data": {"destination": ""}}, "transfer_data[destination]"),
    ],
    "an id that is empty": [
        ("checkout.session", {**SALE, "line_items": [{"price": "", "quantity": 1}]}, "line_items[0][price]"),
        ("payment_link", {"line_items": [{"price": "", "quantity": 1}]}, "line_items[0][price]"),
        ("payment_intent", {**CHARGE, "customer": ""}, "customer"),
        ("subscription", {"customer": "cus_1", "discounts": [{"coupon": ""}]}, "discounts[0][coupon]"),
        ("subscription", {"customer": "cus_1", "default_tax_rates": ["txr_1", ""]}, "default_tax_rates[1]"),
        ("refund", {"payment_intent": ""}, "payment_intent"),
        ("coupon", {"percent_off": 5, "applies_to": {"products": [""]}}, "applies_to[products][0]"),
    ],
    "none of the alternatives": [
        ("subscription", {"items": [{"price": "price_1"}]}, "customer"),
        ("refund", {}, "payment_intent"),
        ("refund", {"amount": 5}, "payment_intent"),
        ("checkout.session", {**SALE, "line_items": [{"quantity": 1}]}, "line_items[0][price]"),
    ],
    "two amounts of one thing": [
        ("price", {**TIERED, "tiers": [{"up_to": "inf", "unit_amount": 1, "unit_amount_decimal": "1.5"}]}, "tiers[0]"),
        ("price", {**TIERED, "tiers": [{"up_to": "inf", "flat_amount": 1, "flat_amount_decimal": "1.5"}]}, "tiers[0]"),
    ],
    "an option of the call": [
        ("payment_intent", {**CHARGE, "stripe_account": "acct_1"}, "stripe_account"),
        ("customer", {"idempotency_key": "k"}, "idempotency_key"),
        ("product", {"name": "Beans", "stripe_version": "2026-05-27"}, "stripe_version"),
        ("coupon", {"percent_off": 5, "api_key": "the key of the shop"}, "api_key"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "params"), [pytest.param(*each, id=kind) for kind, all_ in TAKEN.items() for each in all_]
)  # fmt: skip
def test_what_stripe_takes_is_accepted(name: str, params: dict[str, Any]) -> None:
    assert check_params(create_of(name), params) == ()


@pytest.mark.parametrize(
    ("name", "params", "param"),
    [pytest.param(*each, id=kind) for kind, all_ in REFUSED.items() for each in all_],
)
def test_what_stripe_certainly_refuses_is_refused_by_the_name_of_the_field(
    name: str, params: dict[str, Any], param: str
) -> None:
    assert [fault.param for fault in check_params(create_of(name), params)] == [param]


@pytest.mark.parametrize(
    ("operation", "field"), [("create_product", "name"), ("create_refund", "payment_intent")]
)
def test_an_empty_text_has_the_code_of_stripe(operation: str, field: str) -> None:
    (fault,) = check_params(operation, {field: ""})
    assert fault.code == "parameter_invalid_empty"


@pytest.mark.parametrize("option", ["stripe_account", "idempotency_key", "stripe_context", "lane"])
def test_an_option_among_the_parameters_is_told_its_place(option: str) -> None:
    (fault,) = check_params("create_payment_intent", {**CHARGE, option: "x"})
    assert f"send {option} beside params" in fault.message


def test_the_key_among_the_parameters_is_told_its_field() -> None:
    (fault,) = check_params("create_payment_intent", {**CHARGE, "api_key": "x"})
    assert "stripe_secret" in fault.message


def test_a_parameter_named_like_an_option_deeper_inside_is_only_unknown() -> None:
    shipping = {"lane": 1, "name": "Ada", "address": {"city": "Paris"}}
    (fault,) = check_params("create_payment_intent", {**CHARGE, "shipping": shipping})
    assert (fault.param, fault.message) == (
        "shipping[lane]",
        "Received unknown parameter: shipping[lane].",
    )
