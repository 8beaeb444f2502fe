"""The values of Python programs become plain JSON before anything else sees them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.examples import KEY, NOW_S, entry

from paydispatch import Dispatcher, InvalidParams, new_payment_intent
from paydispatch.domain.parameters.plain_values import take_params
from paydispatch.flow import Flow
from paydispatch.testing.memory_delivery import MemoryDelivery


class SafeString(str):
    """A text as of Django: `str()` of it is of the same class."""

    __slots__ = ()

    def __str__(self) -> str:
        return self


class Float64(float):
    """A float as of numpy: its `repr` is no number."""

    def __repr__(self) -> str:
        return f"np.float64({float.__repr__(self)})"


class Int64:
    """An integer as of numpy: no subclass of `int`, but registered as an integral number."""

    def __init__(self, value: int) -> None:
        self._value = value

    def __index__(self) -> int:
        return self._value


class Float32:
    """A float as of numpy: registered as a real number."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __float__(self) -> float:
        return self._value


class Bool:
    """A boolean as of numpy: an array without dimensions."""

    dtype = "bool"
    shape = ()

    def __init__(self, value: bool) -> None:
        self._value = value

    def item(self) -> bool:
        return self._value


Integral.register(Int64)
Real.register(Float32)


class Int(int):
    def __int__(self) -> int:
        raise AssertionError("It must not be called.")


class Currency(Enum):
    EURO = "eur"


class Capture(StrEnum):
    MANUAL = "manual"


class Amount(IntEnum):
    SMALL = 500


PLAIN: list[tuple[Any, Any]] = [
    (SafeString("eur"), "eur"),
    (Currency.EURO, "eur"),
    (Capture.MANUAL, "manual"),
    (Amount.SMALL, 500),
    (Int(7), 7),
    (Int64(2000), 2000),
    (Float64(0.5), 0.5),
    (Float32(0.5), 0.5),
    (Bool(True), True),
    (Decimal("12.50"), "12.50"),
    (Decimal("2E+3"), "2000"),
    (datetime(2026, 5, 27, 12, tzinfo=UTC), 1779883200),
    ((1, SafeString("a")), [1, "a"]),
    (MappingProxyType({SafeString("a"): 1}), {"a": 1}),
    (True, True),
    (None, None),
]


@pytest.mark.parametrize(("value", "plain"), PLAIN, ids=lambda value: type(value).__name__)
def test_a_value_becomes_its_plain_json_value(value: Any, plain: Any) -> None:
    taken = take_params({"a": [value]})["a"][0]
    assert (taken, type(taken)) == (plain, type(plain))
    if isinstance(taken, list):
        assert [type(entry) for entry in taken] == [type(entry) for entry in plain]


def test_a_name_becomes_plain_text() -> None:
    (name,) = take_params({SafeString("amount"): 1})
    assert type(name) is str
    assert take_params({Currency.EURO: 1}) == {"eur": 1}


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_a_decimal_keeps_its_value_and_has_no_exponent(value: Decimal) -> None:
    text = take_params({"a": value})["a"]
    assert Decimal(text) == value or isinstance(text, Decimal)
    assert "E" not in str(text).upper() or isinstance(text, Decimal)


@pytest.mark.parametrize(
    "value", [Decimal("NaN"), Decimal("Infinity"), Decimal("1E+99999999"), Fraction(1, 3), object(), {1}]
)  # fmt: skip
def test_a_value_without_a_json_form_is_refused_by_its_name(value: object) -> None:
    builder: Any = new_payment_intent().amount(5).currency("usd")
    with Dispatcher(MemoryDelivery()), pytest.raises(InvalidParams) as refusal:
        builder.description(value).create_async("w", "c", KEY)
    assert refusal.value.param == "description"


INTENT: dict[Any, Any] = {
    SafeString("amount"): Int64(2000),
    "currency": Currency.EURO,
    "capture_method": Capture.MANUAL,
    "description": SafeString("Tea"),
    "metadata": {SafeString("order"): Amount.SMALL, "weight": Decimal("0.5"), "gift": Bool(True)},
}
SENT = {
    "amount": 2000,
    "currency": "eur",
    "capture_method": "manual",
    "description": "Tea",
    "metadata": {"order": 500, "weight": "0.5", "gift": True},
}


def test_the_message_of_a_dispatch_holds_plain_json() -> None:
    delivery = MemoryDelivery()
    extra = {"level3": {"merchant_reference": SafeString("1"), "amount": Int64(5)}}
    with Dispatcher(delivery) as dispatcher:
        dispatcher.submit("create_payment_intent", INTENT, "w", "c", KEY, unchecked_params=extra)
    (sent,) = delivery.envelopes
    message = json.loads(sent.as_message())
    assert message["params"] == SENT
    assert message["unchecked_params"] == {"level3": {"merchant_reference": "1", "amount": 5}}


def test_a_builder_takes_the_values_of_a_program() -> None:
    builder: Any = new_payment_intent()
    for name, value in INTENT.items():
        builder = getattr(builder, name)(value)
    assert builder.params() == SENT
    assert type(builder.params()["description"]) is str


def test_a_flow_takes_the_values_of_a_program() -> None:
    run = Flow(entry(), attempt=1, now_s=NOW_S)
    builder: Any = run.new_payment_intent()
    for name, value in INTENT.items():
        builder = getattr(builder, name)(value)
    builder.create_async()
    assert json.loads(run.outbox[0].as_message())["params"] == SENT


def test_a_change_after_the_dispatch_does_not_change_the_request() -> None:
    delivery, metadata = MemoryDelivery(), {"order": "1"}
    params = {"amount": 5, "currency": "usd", "metadata": metadata}
    with Dispatcher(delivery) as dispatcher:
        receipt = dispatcher.submit("create_payment_intent", params, "w", "c", KEY)
        metadata["order"] = "2"
        receipt.wait(10)
    assert delivery.envelopes[0].params["metadata"] == {"order": "1"}
