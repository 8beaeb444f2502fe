"""Parses Stripe's form encoding: `a[b]=1`, `items[0][price]=p`, `items[][price]=p`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from paydispatch.twin.wire.errors import StripeError, invalid_request

Pairs = tuple[tuple[str, str], ...]

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_DEEPEST = 32


def read_pairs(text: str) -> Pairs:
    """Return the name and value of each pair in the order of the text, percent-decoded as UTF-8."""
    return tuple(parse_qsl(text, keep_blank_values=True))


def nest(pairs: Pairs) -> dict[str, Any]:
    """Return the pairs as nested values. Every leaf is a string, `[0]` becomes the key "0", and `[]` becomes a list.

    Raises `StripeError` (400) for a name that is not a bracket path, or that is both a value and a container.
    """
    root: dict[str, Any] = {}
    for name, value in pairs:
        match = _KEY.fullmatch(name)
        if match is None or name.count("[") > _DEEPEST:
            raise _bad_name(name)
        brackets = match[2]
        steps = [match[1], *(brackets[1:-1].split("][") if brackets else ())]
        _put(root, steps, value, name)
    return root


def _put(container: dict[str, Any], steps: list[str], value: str, name: str) -> None:
    step, *rest = steps
    if not rest:
        container[step] = value
    elif rest[0] == "":
        _append(_child(container, step, list, name), rest[1:], value, name)
    else:
        _put(_child(container, step, dict, name), rest, value, name)


def _append(elements: list[Any], steps: list[str], value: str, name: str) -> None:
    """Append to a list. A repeated field starts a new element: `items[][price]=a&items[][price]=b` has two."""
    if not steps:
        elements.append(value)
        return
    last = elements[-1] if elements else None
    if not isinstance(last, dict) or _holds(last, steps):
        elements.append({})
    _put(elements[-1], steps, value, name)


def _holds(container: Any, steps: list[str]) -> bool:
    for step in steps:
        if step == "":
            return False
        if not isinstance(container, dict) or step not in container:
            return False
        container = container[step]
    return True


def _child(container: dict[str, Any], step: str, kind: type, name: str) -> Any:
    child = container.setdefault(step, kind())
    if not isinstance(child, kind):
        raise _bad_name(name)
    return child


def _bad_name(name: str) -> StripeError:
    return invalid_request(
        f"Invalid parameter name: {name[:100]!r}.", code="parameter_invalid", param=name[:100]
    )
