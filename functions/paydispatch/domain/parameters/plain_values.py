"""Convert the values that Python programs have into plain JSON values.

A program may pass a `Decimal`, a `datetime`, a member of an `Enum`, or an instance of a subclass of `str`, `int` or
`float`: Django's `SafeString` and the scalars of numpy are examples. The schema engine and the queue message take
exact types only. Therefore the SDK and the flows convert each value once, before anything else sees it.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from numbers import Integral, Rational, Real
from typing import Any

from paydispatch.domain.errors import InvalidParams
from paydispatch.domain.parameters.json_values import fault_of_depth

MOST_DIGITS = 400
"""A `Decimal` with more digits before or after its point stays as it is, and the check refuses it."""

_PLAIN = frozenset({str, int, float, bool, type(None)})


def take_params(params: Any) -> Any:
    """Return a deep copy in plain JSON values of the parameters that a program passes.

    A value without a JSON form is copied as it is, so that the check can name it. Raises `InvalidParams` if a parameter
    is nested too deeply or contains itself.
    """
    try:
        return plain_value(params)
    except RecursionError:
        fault = fault_of_depth(params)
        if fault is None:  # the caller has used up the stack
            raise
        raise InvalidParams((fault,)) from None


def take_param(name: str, value: Any) -> Any:
    """Return the same copy of one value. Raises `InvalidParams` with the name of the parameter."""
    return value if type(value) in _PLAIN else take_params({name: value})[name]


def plain_value(value: Any) -> Any:
    """Return the plain JSON value of one value. Lists and objects are copied."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return _plain_object(value)
    if kind is list:
        return [plain_value(entry) for entry in value]
    return _convert(value)


def _plain_object(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """Take exact types in place, because a call for each of them takes most of the time of a copy."""
    return {
        name if type(name) is str else _plain_name(name): member
        if type(member) in _PLAIN
        else plain_value(member)
        for name, member in value.items()
    }


def _plain_name(name: Any) -> Any:
    return plain_value(name) if isinstance(name, str | Enum) else name


def _convert(value: Any) -> Any:
    if isinstance(value, Enum):
        return plain_value(value.value)
    if isinstance(value, Mapping):
        return _plain_object(value)
    if isinstance(value, list | tuple):
        return [plain_value(entry) for entry in value]
    if isinstance(value, str):
        return str.__str__(value)  # because `str(value)` may return the subclass again
    if isinstance(value, datetime):
        return int(value.timestamp())
    return _convert_number(value)


def _convert_number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return _decimal_text(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, Integral):
        return operator.index(value)
    if isinstance(value, Real) and not isinstance(value, Rational):
        return float(value)
    return _convert_array_scalar(value)


def _convert_array_scalar(value: Any) -> Any:
    """Convert a scalar of an array library, such as `numpy.bool_`, by its own `item()`."""
    if getattr(value, "shape", None) != () or not hasattr(value, "dtype"):
        return value
    item = value.item()
    return value if type(item) is type(value) else plain_value(item)


def _decimal_text(value: Decimal) -> str | Decimal:
    """Return the number in digits, without an exponent. A number that has no such text is returned unchanged."""
    if not value.is_finite() or abs(value.adjusted()) > MOST_DIGITS:
        return value
    return format(value, "f")
