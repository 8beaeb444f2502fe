"""Encode parameters as the form body that Stripe reads.

Objects are written `a[b]=1`, and arrays `items[0][price]=p`. Text is percent-encoded UTF-8, and brackets stay as they
are. `None` and empty containers send nothing. `""` is sent, and unsets the field. Booleans are `true` and `false`
everywhere, datetimes are unix seconds, and numbers have no exponent. Stripe's Python library (`_encode.py`) writes the
same body, except for booleans inside arrays: it writes `True` there, as Python does.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus

_UNQUOTED = re.compile(r"[A-Za-z0-9_.~\-\[\]]*")
"""Text that stands for itself, as most names and values do. `quote_plus` takes ten times as long to return it."""


def encode(params: Mapping[str, Any]) -> bytes:
    """Return the body. Raises `ValueError` with the field's name for a value that a form cannot hold."""
    quoted = (f"{_quote(name, name)}={_quote(name, text)}" for name, text in pairs(params))
    return "&".join(quoted).encode()


def pairs(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the (name, text) pairs of the body, not quoted yet. Raises `ValueError`, as `encode` does."""
    for name, value in params.items():
        yield from _field(str(name), value)


def text_of(value: Any) -> str:
    """Return the text of one scalar. Raises `ValueError`, as `encode` does."""
    return _text("the value", value)


def _field(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield every pair of one field, its nested fields included."""
    if value is None:
        return
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _field(f"{name}[{key}]", entry)
    elif isinstance(value, list | tuple):
        for index, entry in enumerate(entry for entry in value if entry is not None):
            yield from _field(f"{name}[{index}]", entry)
    else:
        yield name, _text(name, value)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value)
    if isinstance(value, datetime):
        return str(int(value.timestamp()))
    if isinstance(value, float | Decimal):
        return _plain_decimal(name, Decimal(str(value)))
    raise ValueError(
        f"{name} must be text, a number, a boolean or a datetime, not a {type(value).__name__}."
    )


def _plain_decimal(name: str, value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{name} must be a finite number, not {value}.")
    return format(value, "f")


def _quote(name: str, text: str) -> str:
    if _UNQUOTED.fullmatch(text):
        return text
    try:
        return quote_plus(text, safe="[]")
    except UnicodeEncodeError:
        raise ValueError(
            f"{name!a} must be text that UTF-8 can write, without half a surrogate pair."
        ) from None
