"""What JSON and a form body can hold, and what of it JSON Schema does not tell apart.

JSON Schema counts `2000.0` as an integer and lets half a surrogate pair be text; Stripe's form
parser refuses the one and UTF-8 cannot write the other.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from paydispatch.domain.errors import ParamError
from paydispatch.domain.param_path import Path, bracketed

A_FRACTION = 0.5
"""Stands for any whole float: a number for the schema, and no integer."""


MOST_BITS = 1024
"""Of an integer: far more than Stripe reads, and well below what Python still writes in digits."""


def is_plain(value: Any) -> bool:
    """Whether the schema's verdict on `value` is all there is to say; about 1 µs for ten fields."""
    kind = type(value)
    if kind is str:
        return value.isascii() or _is_utf8(value)
    if kind is int:
        return bool(value.bit_length() <= MOST_BITS)
    if kind is dict:
        return all(map(_is_name, value)) and all(map(is_plain, value.values()))
    if kind is list:
        return all(map(is_plain, value))
    if kind is float:
        return isfinite(value) and not value.is_integer()
    return kind is bool


def for_schema(params: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[ParamError, ...]]:
    """Return a copy of `params` the schema judges rightly, and the faults it could not see.

    Fields that are `None` are left out, whole floats become fractions, faulty values become `None`.
    """
    faults: list[ParamError] = []
    return _object(params, (), faults), tuple(faults)


def _object(value: Mapping[Any, Any], path: Path, faults: list[ParamError]) -> dict[str, Any]:
    return {
        _key(key, path, faults): _copy(entry, (*path, key), faults)
        for key, entry in value.items()
        if entry is not None
    }


def _key(key: Any, path: Path, faults: list[ParamError]) -> str:
    if _is_name(key):
        return str(key)
    faults.append(_fault((*path, ascii(key)), "this is no parameter name"))
    return ascii(key)


def _copy(value: Any, path: Path, faults: list[ParamError]) -> Any:
    if isinstance(value, Mapping):
        return _object(value, path, faults)
    if isinstance(value, list | tuple):
        return [_copy(entry, (*path, index), faults) for index, entry in enumerate(value)]
    if isinstance(value, float) and value.is_integer():
        return A_FRACTION
    why = _why_not_json(value)
    if why:
        faults.append(_fault(path, why))
        return None
    return value


def _why_not_json(value: Any) -> str | None:
    """Why a leaf cannot travel, or `None` when it can."""
    if isinstance(value, str):
        return None if _is_utf8(value) else "half a surrogate pair is no text in UTF-8"
    if isinstance(value, float):
        return None if isfinite(value) else f"{value} is not a number Stripe knows"
    if isinstance(value, int):
        return None if value.bit_length() <= MOST_BITS else "the number is too large"
    if value is None:
        return None
    return f"a {type(value).__name__} is not a JSON value"


def _fault(path: Path, why: str) -> ParamError:
    param = bracketed(path)
    return ParamError(param, "parameter_invalid", f"Invalid {param}: {why}.")


def _is_name(key: Any) -> bool:
    return isinstance(key, str) and (key.isascii() or _is_utf8(key))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
