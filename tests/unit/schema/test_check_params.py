"""`check_params`: the errors for parameters that Stripe would refuse."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.unit.examples import KEY

from paydispatch.domain.errors import ParamError, UnknownOperation
from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.stripe.resources import create_of

CHARGE = {"amount": 2000, "currency": "usd"}


def only_error(name: str, params: dict[Any, Any]) -> ParamError:
    (error,) = check_params(create_of(name), params)
    return error


def test_valid_parameters_have_no_errors() -> None:
    assert check_params("create_payment_intent", {**CHARGE, "metadata": {"order": "1001"}}) == ()


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(UnknownOperation):
        check_params("invoice_item", {})


def test_all_errors_are_reported_at_once() -> None:
    errors = check_params(
        "create_payment_intent", {"amountt": 1, "currency": "dollar", "confirm": "yes"}
    )
    assert {(error.param, error.code) for error in errors} == {
        ("amountt", "parameter_unknown"),
        ("amount", "parameter_missing"),
        ("currency", "parameter_invalid_string"),
        ("confirm", "parameter_invalid_boolean"),
    }


def test_a_misspelt_name_gets_a_suggestion_with_its_whole_path() -> None:
    items = [{"price": "price_1", "quantitty": 2}]
    error = only_error("subscription", {"customer": "cus_1", "items": items})
    assert error.message == (
        "Received unknown parameter: items[0][quantitty]. Did you mean items[0][quantity]?"
    )


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    assert only_error("product", {"name": "Beans", "xyzzy": 1}).message == (
        "Received unknown parameter: xyzzy."
    )


def test_nested_fields_are_named_in_brackets() -> None:
    items = [{"price": "p"}, {"price": "p", "quantity": "2.5"}]
    error = only_error("subscription", {"customer": "cus_1", "items": items})
    assert (error.param, error.code) == ("items[1][quantity]", "parameter_invalid_integer")


def test_a_missing_nested_field_is_named() -> None:
    error = only_error(
        "price", {"currency": "usd", "product_data": {"active": True}, "unit_amount": 1}
    )
    assert (error.param, error.code) == ("product_data[name]", "parameter_missing")


def test_an_enum_error_lists_the_allowed_values() -> None:
    error = only_error("payment_intent", {**CHARGE, "capture_method": "later"})
    assert error.message == (
        'Invalid capture_method: must be one of automatic, automatic_async, manual, not "later".'
    )


@pytest.mark.parametrize(
    "amount",
    [
        "20.5",
        "2e3",
        "2000.0",
        " 2000",
        "2000\n",
        "٢٠٠٠",
        2000.0,
        20.5,
        True,
        [2000],
        {"value": 2000},
    ],
)
def test_an_amount_without_the_wire_form_of_an_integer_is_refused(amount: object) -> None:
    error = only_error("payment_intent", {"amount": amount, "currency": "usd"})
    assert (error.param, error.code) == ("amount", "parameter_invalid_integer")


@pytest.mark.parametrize("number", [25, 25.0, 12.5])
def test_a_number_may_be_whole_or_not(number: float) -> None:
    assert check_params("create_coupon", {"percent_off": number}) == ()


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, 2**2000, b"x", datetime.now(UTC), {1, 2}, "\ud800"],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_no_form_can_hold_is_refused_beside_the_other_errors(value: object) -> None:
    errors = check_params("create_payment_intent", {**CHARGE, "description": value, "amountt": 1})
    assert {error.param for error in errors} == {"description", "amountt"}


def test_a_name_that_is_no_text_is_refused() -> None:
    assert only_error("product", {"name": "Beans", 3: "x"}).param == "3"


@pytest.mark.parametrize(
    ("name", "shown"), [("3", "3"), ("007", "7"), ("+3", "3"), ("3a", "3a"), ("-1", "-1")]
)
def test_a_name_that_looks_like_an_index_is_refused_whatever_it_holds(
    name: str, shown: str
) -> None:
    """The engine reports such a name as an integer, without its sign and its zeros."""
    error = only_error("product", {"name": "Beans", "metadata": {name: ["a"]}})
    assert error.param == f"metadata[{shown}]"
    assert "not an array" in error.message


@pytest.mark.parametrize("value", [{}, "\ud800", ["a"]], ids=ascii)
def test_a_name_that_utf8_cannot_write_is_refused_whatever_it_holds(value: object) -> None:
    """An update takes text or an object as metadata, so that the faults of both alternatives are described."""
    errors = check_params("update_product", {"metadata": {"\ud800": value}})
    assert "metadata['\\ud800']" in {error.param for error in errors}


def test_parameters_nested_too_deeply_are_refused() -> None:
    params: dict[str, Any] = {}
    level = params
    for _ in range(10_000):
        level["name"] = level = {}
    assert "nested too deeply" in only_error("product", params).message


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"description": KEY}, "description"),
        ({"description": f"glued{KEY}"}, "description"),
        ({"metadata": {"note": f"Bearer {KEY}"}}, "metadata[note]"),
        ({"metadata": {KEY: "note"}}, "metadata[sk_test_[hidden]]"),
        ({KEY: {"a": 1}}, "sk_test_[hidden]"),
        ({"payment_method_types": ["card", KEY]}, "payment_method_types[1]"),
        ({"nonsense": {"a": [{"b": KEY}]}}, "nonsense[a][0][b]"),
    ],
)
def test_a_key_among_the_parameters_is_refused_by_its_place_and_not_repeated(
    params: dict[str, Any], param: str
) -> None:
    error = only_error("payment_intent", {**CHARGE, **params})
    assert (error.param, error.code) == (param, "secret_key_misplaced")
    assert KEY not in error.message


def test_every_key_among_the_parameters_is_reported_once() -> None:
    errors = check_params("create_payment_intent", {"amount": KEY, "metadata": {KEY: KEY}})
    assert [error.param for error in errors] == ["amount", "metadata[sk_test_[hidden]]"]


@pytest.mark.parametrize(
    "text", ["pk_live_" + "A1" * 12, "task_live_7f3a9c2b1d4e5f60aa", "disk_test_run", "50% off"]
)
def test_a_text_that_only_looks_like_a_key_is_accepted(text: str) -> None:
    assert check_params("create_payment_intent", {**CHARGE, "metadata": {"note": text}}) == ()


@pytest.mark.parametrize(
    ("name", "params", "param"),
    [
        ("product", {"name": "Tea"}, "metadata[paydispatch_request_id]"),
        (
            "price",
            {"currency": "usd", "unit_amount": 1},
            "product_data[metadata][paydispatch_request_id]",
        ),
    ],
)
def test_our_metadata_pair_from_a_caller_is_refused(
    name: str, params: dict[str, Any], param: str
) -> None:
    metadata = {**{f"key_{place}": "x" for place in range(49)}, "paydispatch_request_id": "pdr_1"}
    given = {"product_data": {"name": "Tea", "metadata": metadata}}
    error = only_error(name, {**params, **(given if name == "price" else {"metadata": metadata})})
    assert (error.param, error.code) == (param, "parameter_invalid")
    assert "paydispatch writes this pair itself" in error.message


def test_the_name_of_our_metadata_pair_is_accepted_as_a_value() -> None:
    metadata = {"see": "paydispatch_request_id"}
    assert check_params("create_payment_intent", {**CHARGE, "metadata": metadata}) == ()


def test_none_means_not_sent() -> None:
    assert check_params("create_payment_intent", {**CHARGE, "customer": None}) == ()
    missing = only_error("payment_intent", {"amount": None, "currency": "usd"})
    assert (missing.param, missing.code) == ("amount", "parameter_missing")


def test_none_inside_a_list_is_refused() -> None:
    assert only_error("product", {"name": "Beans", "images": [None]}).param == "images[0]"


def test_an_empty_string_unsets_where_stripe_allows_it() -> None:
    assert (
        check_params(
            "create_subscription", {"customer": "cus_1", "default_tax_rates": "", "description": ""}
        )
        == ()
    )


def test_an_empty_string_elsewhere_is_refused_as_empty() -> None:
    error = only_error("payment_intent", {"amount": "", "currency": "usd"})
    assert error.code == "parameter_invalid_empty"


def test_the_error_names_all_alternatives_if_none_fits() -> None:
    error = only_error("subscription", {"customer": "cus_1", "trial_end": "soon"})
    assert error.message == (
        'Invalid trial_end: must be now or a moment as an integer of unix seconds, not "soon".'
    )


def test_the_error_explains_the_alternative_that_was_meant() -> None:
    options = {"card": {"installments": {"plan": {"type": "weekly"}}}}
    error = only_error("payment_intent", {**CHARGE, "payment_method_options": options})
    assert error.param == "payment_method_options[card][installments][plan][type]"


def test_a_decimal_is_written_in_digits_as_text_or_as_a_number() -> None:
    price = {"currency": "usd", "product": "prod_1"}
    for right in ("0.5", 0.5, 12, 12.0, 1e-7):
        assert check_params("create_price", {**price, "unit_amount_decimal": right}) == ()
    for wrong in ("half", "1e3", "", True, [0.5]):
        assert only_error("price", {**price, "unit_amount_decimal": wrong}).param == (
            "unit_amount_decimal"
        )


def test_a_long_value_is_not_repeated_in_the_message() -> None:
    error = only_error("payment_intent", {**CHARGE, "capture_method": "x" * 1000})
    assert len(error.message) < 200


def test_at_most_100_errors_are_reported() -> None:
    unknown = {f"amount_{number}": 1 for number in range(1000)}
    assert len(check_params("create_payment_intent", {**CHARGE, **unknown})) == 100


def test_a_parameter_that_only_the_library_of_stripe_knows_is_accepted() -> None:
    moto = {"card": {"moto": True}}
    assert check_params("create_payment_intent", {**CHARGE, "payment_method_options": moto}) == ()


@pytest.mark.parametrize("name", ["", "k"])
def test_a_fault_below_a_member_without_a_name_is_refused_as_below_any_other(name: str) -> None:
    tiers = {"unit_amount": 5, "tiers": [{"up_to": "inf", "unit_amount": True}]}
    price = {"currency": "usd", "product": "prod_1", "unit_amount": 5}
    errors = check_params("create_price", {**price, "currency_options": {name: tiers}})
    assert [error.param for error in errors if "unit_amount" in error.param]
