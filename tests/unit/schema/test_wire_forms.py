"""A scalar counts by its text on the wire, and not by its JSON type."""

import random
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.schema.bodies import Bodies

from paydispatch.domain.form_encoding import pairs, text_of
from paydispatch.domain.parameters.check import check_params, parameter_schema
from paydispatch.domain.parameters.wire_schema import wire_schema
from paydispatch.domain.stripe.resources import RESOURCES, create_of

CHARGE = {"amount": 2000, "currency": "usd"}
TIERED = {
    "currency": "usd",
    "product": "prod_1",
    "billing_scheme": "tiered",
    "recurring": {"interval": "month", "interval_count": "3"},
}


def restated(value: Any, chance: random.Random) -> Any:
    """Return `value` with some of its scalars as another JSON type that has the same text on the wire."""
    if isinstance(value, dict):
        return {name: restated(member, chance) for name, member in value.items()}
    if isinstance(value, list):
        return [restated(entry, chance) for entry in value]
    if chance.random() < 0.5:
        return value
    if not isinstance(value, str):
        return text_of(value)
    if value in ("true", "false"):
        return value == "true"
    return int(value) if re.fullmatch("0|[1-9][0-9]{0,30}", value) else value


@pytest.mark.parametrize("name", [row.name for row in RESOURCES])
def test_a_valid_body_stays_valid_when_its_scalars_are_restated(name: str) -> None:
    bodies = Bodies(create_of(name), seed=7)
    for _ in range(100):
        body = bodies.valid()
        other = restated(body, bodies.random)
        assert list(pairs(other)) == list(pairs(body))
        assert check_params(create_of(name), other) == (), other


@pytest.mark.parametrize("name", [row.name for row in RESOURCES])
def test_the_schema_of_the_wire_forms_has_no_other_scalar_than_text(name: str) -> None:
    found = re.findall(r"'type': '(\w+)'", str(wire_schema(parameter_schema(create_of(name)))))
    assert set(found) <= {"object", "array", "string"}


@given(value=st.one_of(st.integers(-(2**1023), 2**1023), st.booleans(), st.text(max_size=400)))
def test_a_metadata_value_may_be_any_scalar(value: object) -> None:
    found = check_params("create_payment_intent", {**CHARGE, "metadata": {"note": value}})
    assert [fault.code for fault in found if fault.code != "secret_key_misplaced"] == []


@given(amount=st.integers(0, 999_999_999_999))
def test_an_amount_may_be_the_text_of_its_digits(amount: int) -> None:
    assert check_params("create_payment_intent", {**CHARGE, "amount": str(amount)}) == ()


@given(
    text=st.text(st.sampled_from("0123456789.-+eE_ ٣\n"), max_size=8).filter(
        lambda text: not re.fullmatch(r"-?[0-9]+", text, re.ASCII)
    )
)
def test_a_text_that_is_no_integer_is_refused_for_an_integer(text: str) -> None:
    (fault,) = check_params("create_payment_intent", {**CHARGE, "amount": text})
    assert fault.param == "amount"


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("payment_intent", {**CHARGE, "amount": "2000", "confirm": "true"}),
        ("payment_intent", {**CHARGE, "metadata": {"order": 1001, "gift": True, "weight": 1.5}}),
        ("payment_intent", {**CHARGE, "description": 1001}),
        ("price", {**TIERED, "tiers": [{"up_to": "5", "unit_amount": "100"}]}),
        ("price", {**TIERED, "tiers": [{"up_to": 5, "unit_amount_decimal": 0.5}]}),
        ("subscription", {"customer": "cus_1", "trial_end": "1900000000"}),
        ("subscription", {"customer": "cus_1", "items": [{"price": "price_1", "quantity": "2"}]}),
        ("coupon", {"percent_off": "12.5"}),
        ("product", {"name": "Beans", "active": "false"}),
    ],
)
def test_a_scalar_of_another_json_type_with_a_right_wire_form_is_accepted(
    name: str, params: dict[str, Any]
) -> None:
    assert check_params(create_of(name), params) == ()


@pytest.mark.parametrize(
    ("name", "params", "param", "code"),
    [
        ("payment_intent", {**CHARGE, "amount": "20.5"}, "amount", "parameter_invalid_integer"),
        ("payment_intent", {**CHARGE, "confirm": 1}, "confirm", "parameter_invalid_boolean"),
        ("payment_intent", {**CHARGE, "confirm": "True"}, "confirm", "parameter_invalid_boolean"),
        (
            "payment_intent",
            {**CHARGE, "description": ["x"]},
            "description",
            "parameter_invalid_string",
        ),
        ("coupon", {"percent_off": "ten"}, "percent_off", "parameter_invalid_number"),
        ("coupon", {"percent_off": True}, "percent_off", "parameter_invalid_number"),
        ("product", {"name": "Beans", "images": "x"}, "images", "parameter_invalid_array"),
        ("product", {"name": {"a": "b"}}, "name", "parameter_invalid_string"),
    ],
)
def test_a_value_without_a_right_wire_form_is_refused(
    name: str, params: dict[str, Any], param: str, code: str
) -> None:
    (fault,) = check_params(create_of(name), params)
    assert (fault.param, fault.code) == (param, code)


def test_a_decimal_that_no_form_can_hold_is_named() -> None:
    (fault,) = check_params("create_payment_intent", {**CHARGE, "description": Decimal("NaN")})
    assert (fault.param, "finite number" in fault.message) == ("description", True)
