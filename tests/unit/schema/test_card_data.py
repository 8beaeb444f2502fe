"""Raw card data is found by its place and by its value, and nothing else is taken for it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paydispatch.domain.parameters.card_data import (
    CARD_FIELDS,
    OBJECTS_WITH_A_NUMBER,
    fault_of_card_data,
    faults_of_card_data,
    hide_card_data,
    hide_card_data_in_text,
    is_card_number,
    places_of_card_data,
)
from paydispatch.domain.parameters.check import check_params, parameter_names, parameter_schema
from paydispatch.domain.parameters.path import bracket_path
from paydispatch.domain.stripe.operations import all_operations
from paydispatch.domain.stripe.resources import create_of

Node = dict[str, Any]

CHARGE = {"amount": 2000, "currency": "usd"}
NUMBER = "4242424242424242"


def places(params: dict[str, Any], name: str = "payment_intent") -> list[str]:
    return [bracket_path(path) for path in places_of_card_data(name, params)]


@pytest.mark.parametrize(
    ("params", "place"),
    [
        ({"card": {"number": NUMBER}}, "card[number]"),
        ({"card": {"number": "4"}}, "card[number]"),
        ({"card": {"cvc": 123}}, "card[cvc]"),
        ({"card": {"number": {"value": NUMBER}}}, "card[number]"),
        ({"payment_method_data[card][number]": NUMBER}, "payment_method_data[card][number]"),
        ({"source": {"object": "card", "number": "42"}}, "source[number]"),
        ({"source": {"exp_month": 5, "number": "42"}}, "source[number]"),
        ({"a": [{"b": {"number": int(NUMBER)}}]}, "a[0][b][number]"),
        ({"a": {"number": float(NUMBER)}}, "a[number]"),
        ({"a": {"number": "4242 4242-4242 4242"}}, "a[number]"),
        ({"a": {"number": ["x", NUMBER]}}, "a[number]"),
        ({"a": {"cvc": "0123"}}, "a[cvc]"),
        ({"metadata": {"number": NUMBER}}, "metadata[number]"),
        ({"metadata": {"cvc": "123"}}, "metadata[cvc]"),
        ({"number": NUMBER}, "number"),
    ],
)
def test_card_data_is_found(params: dict[str, Any], place: str) -> None:
    assert places(params) == [place]
    (fault,) = check_params("create_payment_intent", {**CHARGE, **params})
    assert (fault.param, fault.code) == (place, "card_data_refused")
    assert "4242" not in fault.message.replace(place, "")
    assert "queues, streams and dead letters" in fault.message
    assert "Stripe.js" in fault.message


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("payment_intent", {**CHARGE, "metadata": {"number": "1001"}}),
        ("payment_intent", {**CHARGE, "metadata": {"number": "20260101120000"}}),
        ("payment_intent", {**CHARGE, "metadata": {"number": 4242424242424241}}),
        ("payment_intent", {**CHARGE, "metadata": {"cvc": "CVC Capital"}}),
        ("payment_intent", {**CHARGE, "metadata": {"order": NUMBER}}),
        ("payment_intent", {**CHARGE, "metadata": {"exp_month": "5", "number": "1001"}}),
        ("payment_intent", {**CHARGE, "payment_method_options": {"card": {"cvc_token": "cvctok_1"}}}),
        ("invoice", {"customer": "cus_1", "number": "202601010001"}),
        ("invoice", {"customer": "cus_1", "number": "INV-0001"}),
    ],
)  # fmt: skip
def test_another_number_is_accepted(name: str, params: dict[str, Any]) -> None:
    assert check_params(create_of(name), params) == ()


def test_an_invoice_number_that_is_a_card_number_is_refused() -> None:
    (fault,) = check_params("create_invoice", {"customer": "cus_1", "number": NUMBER})
    assert fault.code == "card_data_refused"


def test_every_place_with_card_data_is_named() -> None:
    card = {"number": NUMBER, "cvc": "123", "exp_month": 12, "exp_year": 2030}
    found = check_params("create_payment_intent", {**CHARGE, "payment_method_data": {"card": card}})
    assert [fault.param for fault in found] == [
        "payment_method_data[card][number]",
        "payment_method_data[card][cvc]",
    ]


def test_the_objects_with_a_number_of_their_own_are_those_of_the_schemas() -> None:
    found = {row.object for row in all_operations() if "number" in parameter_names(row.name)}
    assert found == OBJECTS_WITH_A_NUMBER


def places_of_cards(
    schema: Node, node: Node, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the places of every `number` and `cvc` below the top level of an operation's schema."""
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rpartition("/")[2]]
    for branch in node.get("anyOf", ()):
        yield from places_of_cards(schema, branch, path)
    for name, part in node.get("properties", {}).items():
        if name in CARD_FIELDS and path:
            yield (*path, name)
        yield from places_of_cards(schema, part, (*path, name))


EVERY_CARD = sorted(
    {
        (row.name, place)
        for row in all_operations()
        for place in places_of_cards(parameter_schema(row.name), parameter_schema(row.name))
    }
)


@pytest.mark.parametrize(("operation", "place"), EVERY_CARD)
def test_card_data_is_refused_wherever_an_operation_has_a_parameter_for_it(
    operation: str, place: tuple[str, ...]
) -> None:
    params: Any = NUMBER if place[-1] == "number" else "123"
    for name in reversed(place):
        params = {name: params}

    assert [fault.code for fault in check_params(operation, params)] == ["card_data_refused"]


def test_ten_operations_have_a_parameter_for_card_data() -> None:
    """The test above has something to refuse."""
    assert len({operation for operation, _ in EVERY_CARD}) >= 10


@pytest.mark.parametrize(
    "digits",
    ["4242424242424242", "4222222222222", "5555555555554444", "2223003122003222", "378282246310005",
     "30569309025904", "6011111111111117", "3566002020360505", "6205500000000000004"],
)  # fmt: skip
def test_the_test_numbers_of_the_networks_are_card_numbers(digits: str) -> None:
    assert is_card_number(digits)


@given(digit=st.integers(0, 9).filter(lambda digit: digit != 2))
def test_a_number_with_a_wrong_check_digit_is_no_card_number(digit: int) -> None:
    assert not is_card_number(f"{NUMBER[:-1]}{digit}")


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"params": {"card": {"number": NUMBER, "cvc": 123}}, "worker_id": "w"}),
        '{"params": {"card": {"number": "4242424242424242", "cvc": 123}}, "broken',
        '{"params": {"card": {"number" : 4242424242424242}, "broken',
    ],
)
def test_card_data_is_hidden_in_the_text_of_a_message(text: str) -> None:
    hidden = hide_card_data_in_text(text)
    assert NUMBER not in hidden
    assert "123" not in hidden
    assert '"number"' in hidden


@given(st.text())
def test_a_text_without_card_data_is_not_changed(text: str) -> None:
    message = json.dumps({"params": {"description": text}})
    assert hide_card_data_in_text(message) == message


def test_hiding_card_data_keeps_the_rest() -> None:
    params = {"amount": 5, "a": [{"card": {"number": NUMBER, "brand": "visa"}}]}
    assert hide_card_data("payment_intent", params) == {
        "amount": 5,
        "a": [{"card": {"number": "[hidden]", "brand": "visa"}}],
    }


NAMES = st.lists(
    st.sampled_from(
        ["number", "Number", " CVC", "cvc", "card", "[", "]", "num", "ber", "é", "exp_month"]
    ),
    max_size=4,
).map("".join)
TREES = st.recursive(
    st.sampled_from([NUMBER, "1", 123, None, "number"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(NAMES, TREES, max_size=3))
def test_every_place_is_a_fault_whatever_its_name_looks_like(params: dict[str, Any]) -> None:
    """The faults are looked for in one text first, which must miss no name."""
    expected = tuple(fault_of_card_data(place) for place in places(params))

    assert faults_of_card_data("payment_intent", params) == expected
