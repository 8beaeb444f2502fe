"""Parameters as the form body Stripe reads.

`a[b]=1`, arrays indexed `items[0][price]=p`, UTF-8 percent-encoded, brackets left as they are.
`None` and empty containers send nothing, `""` is sent and unsets, booleans are `true` and `false`
everywhere, datetimes are unix seconds, numbers have no exponent. The same body as the official
library's `_encode.py`, except for booleans inside arrays, which that one writes as Python does.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote_plus


def encode(params: Mapping[str, Any]) -> bytes:
    """Return the body. Raises `ValueError`, naming the field, for what a form cannot hold."""
    quoted = (f"{_quote(name, name)}={_quote(name, text)}" for name, text in pairs(params))
    return "&".join(quoted).encode()


def pairs(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the (name, text) pairs of the body, not quoted yet. Raises `ValueError`, as `encode` does."""
    for name, value in params.items():
        yield from _field(str(name), value)


def _field(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every pair one field sends, its nested fields included."""
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
    raise ValueError(f"{name}: a {type(value).__name__} cannot be sent to Stripe.")


def _plain_decimal(name: str, value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"{name}: {value} is not a number Stripe knows.")
    return format(value, "f")


def _quote(name: str, text: str) -> str:
    try:
        return quote_plus(text, safe="[]")
    except UnicodeEncodeError:
        raise ValueError(f"{name!a}: half a surrogate pair cannot be written as UTF-8.") from None
