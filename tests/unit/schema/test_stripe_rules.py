"""Rules that Stripe enforces and its document does not express in types."""

from typing import Any

import pytest

from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.parameters.stripe_rules import LARGEST_AMOUNT
from paydispatch.domain.stripe.resources import create_of

CHARGE = {"amount": 2000, "currency": "usd"}
TIERED = {"billing_scheme": "tiered", "tiers": [{"up_to": "inf", "unit_amount": 5}]}
PRICE = {"currency": "usd", "product": "prod_1", "unit_amount": 100}


def broken(name: str, params: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error.param, error.code) for error in check_params(create_of(name), params)]


def test_metadata_at_its_limits_is_accepted() -> None:
    metadata = {f"{number:040}": "x" * 500 for number in range(50)}
    assert broken("payment_intent", {**CHARGE, "metadata": metadata}) == []


@pytest.mark.parametrize(
    ("metadata", "param"),
    [
        ({str(number): "x" for number in range(51)}, "metadata"),
        ({"k" * 41: "x"}, f"metadata[{'k' * 41}]"),
        ({"a[b]": "x"}, "metadata[a[b]]"),
        ({"": "x"}, "metadata[]"),
        ({"key": "x" * 501}, "metadata[key]"),
        ({"key": {"a": 1}}, "metadata[key]"),
        ({"key": 10**500}, "metadata[key]"),
    ],
)
def test_metadata_past_its_limits_is_refused(metadata: dict[str, Any], param: str) -> None:
    assert [name for name, _ in broken("payment_intent", {**CHARGE, "metadata": metadata})] == [
        param
    ]


def test_nested_metadata_has_the_same_limits() -> None:
    data = {"currency": "usd", "unit_amount": 1, "metadata": {"a[": "x"}}
    assert broken("product", {"name": "Beans", "default_price_data": data}) == [
        ("default_price_data[metadata][a[]", "parameter_invalid")
    ]


def test_metadata_pairs_that_are_none_do_not_count() -> None:
    metadata = {str(number): "x" for number in range(50)} | {"gone": None}
    assert broken("payment_intent", {**CHARGE, "metadata": metadata}) == []


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (0, "usd", None),
        (150_000_000, "cop", None),
        (999_999_999_999, "usd", None),
        ("999999999999", "idr", None),
        (1_000_000_000_000, "idr", "amount_too_large"),
        ("1000000000000", "usd", "amount_too_large"),
        (-1, "usd", "parameter_invalid_integer"),
        ("-1", "usd", "parameter_invalid_integer"),
        (10**30, "usd", "amount_too_large"),
        ("9" * 300, "usd", "amount_too_large"),
    ],
)
def test_an_amount_has_at_most_twelve_digits(
    amount: int | str, currency: str, code: str | None
) -> None:
    wanted = [("amount", code)] if code else []
    assert broken("payment_intent", {"amount": amount, "currency": currency}) == wanted


def test_the_message_about_an_amount_names_the_limit_that_is_applied() -> None:
    (error,) = check_params("create_payment_intent", {**CHARGE, "amount": LARGEST_AMOUNT + 1})
    assert str(LARGEST_AMOUNT) in error.message
    assert check_params("create_payment_intent", {**CHARGE, "amount": LARGEST_AMOUNT}) == ()


@pytest.mark.parametrize("currency", ["USD", "Usd", "eur"])
def test_a_currency_may_have_capitals(currency: str) -> None:
    options = {currency: {"unit_amount": 90}}
    assert broken("price", {**PRICE, "currency": currency, "currency_options": options}) == []


@pytest.mark.parametrize("currency", ["us", "usdt", "u$d", ""])
def test_a_currency_is_three_letters(currency: str) -> None:
    assert [param for param, _ in broken("price", {**PRICE, "currency": currency})] == ["currency"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({}, None),
        ({"product": None}, ("product", "parameter_missing")),
        ({"product": None, "product_data": {"name": "Beans"}}, None),
        ({"product_data": {"name": "Beans"}}, ("product_data", "parameters_exclusive")),
        ({"unit_amount": None}, ("unit_amount", "parameter_missing")),
        ({"unit_amount": None, "unit_amount_decimal": "0.5"}, None),
        ({"unit_amount": None, "custom_unit_amount": {"enabled": True}}, None),
        ({"unit_amount_decimal": "0.5"}, ("unit_amount_decimal", "parameters_exclusive")),
        ({"unit_amount": None, **TIERED}, None),
        ({**TIERED, "billing_scheme": None}, ("billing_scheme", "parameter_missing")),
        (
            {**TIERED, "transform_quantity": {"divide_by": 2, "round": "up"}},
            ("transform_quantity", "parameters_exclusive"),
        ),
    ],
)
def test_a_price_has_one_product_and_one_kind_of_amount(
    change: dict[str, Any], error: tuple[str, str] | None
) -> None:
    assert broken("price", {**PRICE, **change}) == ([error] if error else [])


@pytest.mark.parametrize(
    ("coupon", "error"),
    [
        ({"percent_off": 10}, None),
        ({"amount_off": 500, "currency": "eur"}, None),
        ({"amount_off": 500}, ("currency", "parameter_missing")),
        ({}, ("percent_off", "parameter_missing")),
        (
            {"percent_off": 10, "amount_off": 500, "currency": "eur"},
            ("amount_off", "parameters_exclusive"),
        ),
        ({"percent_off": 10, "duration": "repeating", "duration_in_months": 3}, None),
        (
            {"percent_off": 10, "duration": "repeating"},
            ("duration_in_months", "parameter_missing"),
        ),
        (
            {"percent_off": 10, "duration": "once", "duration_in_months": 3},
            ("duration_in_months", "parameter_unknown"),
        ),
    ],
)
def test_a_coupon_takes_off_a_percentage_or_an_amount(
    coupon: dict[str, Any], error: tuple[str, str] | None
) -> None:
    assert broken("coupon", coupon) == ([error] if error else [])
