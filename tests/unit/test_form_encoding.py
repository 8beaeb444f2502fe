"""`encode` writes a form body as Stripe reads it."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from paydispatch.domain.form_encoding import encode


@pytest.mark.parametrize(
    ("params", "body"),
    [
        ({}, b""),
        ({"amount": 2000}, b"amount=2000"),
        ({"a": {"b": {"c": 1}}}, b"a[b][c]=1"),
        ({"items": [{"price": "p"}, {"price": "q"}]}, b"items[0][price]=p&items[1][price]=q"),
        ({"a": [[1, 2], [3]]}, b"a[0][0]=1&a[0][1]=2&a[1][0]=3"),
        ({"a": ("x", "y")}, b"a[0]=x&a[1]=y"),
        ({"a": None, "b": {}, "c": [], "d": {"e": None}}, b""),
        ({"a": ""}, b"a="),
        (
            {"a": True, "b": [True, False], "c": {"d": False}},
            b"a=true&b[0]=true&b[1]=false&c[d]=false",
        ),
        ({"a": "é €=&+%"}, b"a=%C3%A9+%E2%82%AC%3D%26%2B%25"),
        ({"metadata": {"ключ": "1"}}, b"metadata[%D0%BA%D0%BB%D1%8E%D1%87]=1"),
        (
            {"a": 1e-7, "b": 1e22, "c": 12.5, "d": 2.0},
            b"a=0.0000001&b=10000000000000000000000&c=12.5&d=2.0",
        ),
        ({"a": Decimal("1E+3"), "b": Decimal("0.10")}, b"a=1000&b=0.10"),
        ({"a": 10**30}, b"a=1000000000000000000000000000000"),
    ],
)
def test_parameters_become_a_form_body(params: dict[str, Any], body: bytes) -> None:
    assert encode(params) == body


def test_none_inside_a_list_leaves_no_gap() -> None:
    assert encode({"a": [1, None, 2]}) == b"a[0]=1&a[1]=2"


def test_a_datetime_is_unix_seconds() -> None:
    moment = datetime(2026, 5, 27, 12, tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(hours=-7)))
    assert encode({"a": moment, "b": elsewhere}) == b"a=1779883200&b=1779883200"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (float("nan"), r"a\[0\]\[b\]"),
        (float("inf"), r"a\[0\]\[b\]"),
        (Decimal("NaN"), r"a\[0\]\[b\]"),
        ({1, 2}, r"a\[0\]\[b\]"),
        (b"bytes", r"a\[0\]\[b\]"),
        ("\ud800", r"a\[0\]\[b\]"),
    ],
)
def test_a_value_that_no_form_can_hold_is_refused_by_name(value: object, field: str) -> None:
    with pytest.raises(ValueError, match=field):
        encode({"a": [{"b": value}]})
