"""Find the values that JSON Schema accepts although Stripe or a form body cannot take them.

JSON Schema counts `2000.0` as an integer, and half a surrogate pair as text. Stripe's form parser refuses the first,
because its wire form is `2000.0`. UTF-8 cannot write the second.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from paydispatch.domain.errors import ParamError
from paydispatch.domain.form_encoding import text_of
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.parameters.path import Path, bracket_path
from paydispatch.domain.text.redaction import holds_key, holds_no_key, places_of_keys

_CONTAINERS = (dict, list, tuple)

LONGEST_NAME = 64
"""The number of characters of a name that a message repeats."""

MOST_BITS = 1024
"""The greatest size of an integer. Stripe reads far smaller ones, and Python can write far larger ones in digits."""

MOST_LEVELS = 32
"""The greatest depth of objects and lists below `params`. Stripe's deepest parameter has fewer than ten levels."""


def is_plain(params: dict[str, Any]) -> bool:
    """Return whether the schema of JSON values alone can decide about `params`. This takes about 1 µs for ten fields.

    It goes through the values level by level. Therefore it makes one pass, and never reaches Python's recursion limit.
    """
    texts: list[str] = []
    level: list[Any] = [params]
    for _ in range(MOST_LEVELS + 2):
        below = _level_below(level, texts)
        if below is None:
            return False
        if not below:
            return _are_plain(texts)
        level = below
    return False


def _level_below(level: list[Any], texts: list[str]) -> list[Any] | None:
    """Return the values one level deeper, and add the texts of this level to `texts`. None: a value is not plain."""
    deeper: list[Any] = []
    for value in level:
        kind = type(value)
        if kind is str:
            texts.append(value)
        elif kind is dict:
            if "number" in value or "cvc" in value:  # perhaps of a card
                return None
            texts += value
            deeper += value.values()
        elif kind is list:
            deeper += value
        elif not _is_plain_number(value):
            return None
    return deeper


def _is_plain_number(value: Any) -> bool:
    kind = type(value)
    if kind is int:
        return bool(value.bit_length() <= MOST_BITS)
    if kind is float:
        return isfinite(value) and not value.is_integer()
    return kind is bool


def _are_plain(texts: list[str]) -> bool:
    """Check all texts at once. No match can span two texts, because a line break separates them."""
    try:
        joined = "\n".join(texts)
    except TypeError:  # a name that is not text
        return False
    utf8 = joined.isascii() or _is_utf8(joined)
    return utf8 and MARK not in joined and not holds_key(joined)


def fault_of_depth(params: Mapping[str, Any]) -> ParamError | None:
    """Return the fault of the first parameter that is nested too deeply."""
    for name, value in params.items():
        if _levels_end(value):
            continue
        rule = f"it is nested too deeply, because at most {MOST_LEVELS} levels of objects and lists are allowed"
        return _fault((str(name)[:LONGEST_NAME],), rule)
    return None


def fault_of_numbers(params: Mapping[str, Any]) -> ParamError | None:
    """Return the fault of the first number that is not finite, such as the one that `1e999` is read as.

    `params` are nested no deeper than `fault_of_depth` allows.
    """
    for path, value in _scalars_of(params, ()):
        why = _why_not_json(value) if isinstance(value, float) else None
        if why:
            return _fault(path, why)
    return None


def _scalars_of(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _scalars_of(member, (*path, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _scalars_of(member, (*path, index))
    else:
        yield path, value


def faults_of_secrets(params: Mapping[str, Any]) -> tuple[ParamError, ...]:
    """Return a fault for each secret key in `params`, in a value or in a name. No message repeats the key."""
    return tuple(
        ParamError(
            param,
            "secret_key_misplaced",
            f"{param} holds a Stripe secret key. Send the key as stripe_secret and nowhere else.",
        )
        for param in dict.fromkeys(map(bracket_path, places_of_keys(params)))
    )


def place_of_secret(message: Mapping[str, Any]) -> str | None:
    """Return the first field of a queue message that holds a secret key. A parameter is named as Stripe names it."""
    if holds_no_key(message):
        return None
    for path in places_of_keys(message):
        within = path[1:] if path[0] == "params" and len(path) > 1 else path
        return bracket_path(within)
    return None


def _levels_end(value: Any) -> bool:
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(MOST_LEVELS):
        if not level:
            return True
        level = [inner for outer in level for inner in _containers_in(outer)]
    return not level


def _containers_in(outer: Any) -> list[Any]:
    members = outer.values() if isinstance(outer, dict) else outer
    return [member for member in members if isinstance(member, _CONTAINERS)]


def wire_form(params: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[ParamError, ...]]:
    """Return a copy of `params` in which each scalar is its text on the wire, and the faults that no schema can find.

    In the copy fields that are `None` are left out, and faulty values become `None`.
    """
    faults: list[ParamError] = []
    return _object(params, (), faults), tuple(faults)


def rename_as_wire_form(value: Any) -> Any:
    """Return a plain JSON value with the names that `wire_form` gives it, so that the paths of its faults lead here."""
    if isinstance(value, dict):
        return {
            name if _is_name(name) else ascii(name): rename_as_wire_form(member)
            for name, member in value.items()
        }
    return [rename_as_wire_form(member) for member in value] if isinstance(value, list) else value


def _object(value: Mapping[Any, Any], path: Path, faults: list[ParamError]) -> dict[str, Any]:
    return {
        _key(key, path, faults): _copy(entry, (*path, key), faults)
        for key, entry in value.items()
        if entry is not None
    }


def _key(key: Any, path: Path, faults: list[ParamError]) -> str:
    if key == MARK:
        faults.append(
            _fault((*path, key), "leave this pair out, because paydispatch writes this pair itself")
        )
    if _is_name(key):
        return str.__str__(key)
    faults.append(_fault((*path, ascii(key)), "the name of a parameter must be text in UTF-8"))
    return ascii(key)


def _copy(value: Any, path: Path, faults: list[ParamError]) -> Any:
    if type(value) is str and value.isascii():
        return value
    if isinstance(value, Mapping):
        return _object(value, path, faults)
    if isinstance(value, list | tuple):
        return [_copy(entry, (*path, index), faults) for index, entry in enumerate(value)]
    if value is None:
        return None
    why = _why_not_json(value)
    if why:
        faults.append(_fault(path, why))
        return None
    return str.__str__(value) if isinstance(value, str) else text_of(value)


def _why_not_json(value: Any) -> str | None:
    """Return why a value cannot be sent as JSON. None: it can."""
    if isinstance(value, str):
        return (
            None
            if _is_utf8(value)
            else "text must not hold half a surrogate pair, which UTF-8 cannot write"
        )
    if isinstance(value, float):
        return None if isfinite(value) else f"must be a finite number, not {value}"
    if isinstance(value, int):
        return (
            None
            if value.bit_length() <= MOST_BITS
            else f"must be an integer of at most {MOST_BITS} bits"
        )
    if isinstance(value, Decimal):
        return f"must be a finite number of an ordinary size, not {value}"
    return f"must be a JSON value, not a {type(value).__name__}"


def _fault(path: Path, why: str) -> ParamError:
    param = bracket_path(path)
    return ParamError(param, "parameter_invalid", f"Invalid {param}: {why}.")


def _is_name(key: Any) -> bool:
    return isinstance(key, str) and (key.isascii() or _is_utf8(key))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
