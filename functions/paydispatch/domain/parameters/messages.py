"""Translate the schema engine's errors into sentences as Stripe writes them.

The codes are Stripe's where it has one (https://docs.stripe.com/error-codes): `parameter_missing`, `parameter_unknown`,
`parameter_invalid_empty`, `parameter_invalid_integer`. Stripe has none for other types. Our codes follow the pattern:
`parameter_invalid_string`, `…_boolean`, `…_number`, `…_object`, `…_array`, and plain `parameter_invalid`.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from paydispatch.domain.credentials import redact
from paydispatch.domain.errors import ParamError
from paydispatch.domain.parameters.path import bracket_path, value_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jsonschema_rs import ValidationError

SHOWN_CHARACTERS = 64
"""The longest wrong value a message repeats."""

LONGEST_PARAM = 200
"""The number of characters of an unknown name that a message repeats."""


def describe(
    error: ValidationError, params: Any, schema: Mapping[str, Any]
) -> Iterator[ParamError]:
    """Yield one `ParamError` for each field that an error of the engine concerns."""
    match error.kind.name:
        case "additionalProperties":
            known = _neighbour_keyword(schema, error, "properties")
            yield from (unknown((*error.instance_path, name), known) for name in error.kind.value)
        case "required":
            yield _describe_missing(bracket_path((*error.instance_path, error.kind.value)))
        case "propertyNames":
            yield _describe_key(error)
        case "anyOf":
            yield from _describe_alternatives(error, params, schema)
        case _:
            yield _describe_invalid(error, params, schema)


def unknown(path: Sequence[str | int], known: Sequence[str]) -> ParamError:
    """Return the error of an unknown name, with the most similar known name."""
    param, name = bracket_path(path)[:LONGEST_PARAM], str(path[-1])
    near = _find_nearest(name, tuple(known)) if len(name) <= SHOWN_CHARACTERS else None
    hint = f" Did you mean {bracket_path((*path[:-1], near))}?" if near else ""
    return ParamError(param, "parameter_unknown", f"Received unknown parameter: {param}.{hint}")


@lru_cache(maxsize=1024)
def _find_nearest(name: str, known: tuple[str, ...]) -> str | None:
    """Return the nearest of the known names, if one is near.

    The result is kept, because the search takes half a millisecond, and a program that sends a name of an older version
    sends it with each request.
    """
    return next(iter(get_close_matches(name, known, n=1)), None)


def _describe_missing(param: str) -> ParamError:
    return ParamError(param, "parameter_missing", f"Missing required param: {param}.")


def _describe_key(error: ValidationError) -> ParamError:
    param = bracket_path((*error.instance_path, error.kind.value.instance))[:LONGEST_PARAM]
    rule = "a metadata key must have 1 to 40 characters, none of them [ or ]"
    return ParamError(param, "parameter_invalid", f"Invalid {param}: {rule}.")


def _describe_alternatives(
    error: ValidationError, params: Any, schema: Mapping[str, Any]
) -> Iterator[ParamError]:
    """Describe the faults of the alternative that the caller meant. If that is unclear, name all alternatives."""
    branches = error.kind.value
    meant = [
        branch for branch in branches if not any(_is_elsewhere(error, inner) for inner in branch)
    ]
    if meant:
        for inner in meant[0]:
            yield from describe(inner, params, schema)
        return
    wanted = " or ".join(dict.fromkeys(_expectation(branch[0], schema) for branch in branches))
    yield _describe_refusal(error, params, wanted, _code(branches[0][0]))


def _is_elsewhere(outer: ValidationError, inner: ValidationError) -> bool:
    """Return whether the value is of another kind than the alternative, and not only wrong inside."""
    return inner.instance_path == outer.instance_path and inner.kind.name in (
        "type",
        "const",
        "enum",
    )


def _describe_invalid(error: ValidationError, params: Any, schema: Mapping[str, Any]) -> ParamError:
    return _describe_refusal(error, params, _expectation(error, schema), _code(error))


def _describe_refusal(error: ValidationError, params: Any, wanted: str, code: str) -> ParamError:
    param = bracket_path(error.instance_path)
    value = value_at(params, error.instance_path)
    if value == "":
        return _describe_empty(param, wanted)
    but = "" if error.kind.name == "maxProperties" else _but_is(value)
    return ParamError(param, code, f"Invalid {param}: must be {wanted}{but}.")


def _describe_empty(param: str, wanted: str) -> ParamError:
    return ParamError(
        param,
        "parameter_invalid_empty",
        f"You passed an empty string for '{param}', which would unset it. It cannot be unset. "
        f"Leave it out, or send {wanted}.",
    )


def _but_is(value: object) -> str:
    """Return the value that was sent instead, to follow "must be …". It is left out if it is long."""
    if isinstance(value, dict | list | tuple):
        return f", not {'an object' if isinstance(value, dict) else 'an array'}"
    shown = redact(json.dumps(value, ensure_ascii=False))  # the value may hold a Stripe key
    return f", not {shown}" if len(shown) <= SHOWN_CHARACTERS else ""


def _code(error: ValidationError) -> str:
    if error.kind.name == "type":
        return f"parameter_invalid_{error.kind.value[0]}"
    if error.kind.name in ("enum", "pattern", "maxLength"):
        return "parameter_invalid_string"
    return "parameter_invalid"


def _expectation(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """Return the description of a right value, to follow "must be"."""
    limit = error.kind.value
    match error.kind.name:
        case "type":
            return _FORMATS.get(_neighbour_keyword(schema, error, "format"), _TYPES[limit[0]])
        case "enum":
            return _any_of(limit)
        case "const":
            return "an empty string to unset it"
        case "maxLength":
            return f"at most {limit} characters long"
        case "maxProperties":
            return f"an object of at most {limit} pairs"
        case "pattern":
            return _FORMATS[_neighbour_keyword(schema, error, "format")]
    return error.message


def _any_of(options: Sequence[object]) -> str:
    words = [str(option) or "(empty)" for option in options]
    return f"one of {', '.join(words)}" if len(words) > 1 else words[0]


def _neighbour_keyword(schema: Mapping[str, Any], error: ValidationError, keyword: str) -> Any:
    """Return the value of another keyword beside the one that failed. It is empty if there is none."""
    node: Any = schema
    for part in error.schema_path[:-1]:
        node = node[part]
    return node.get(keyword, ())


_TYPES: Mapping[str, str] = {
    "integer": "an integer (no quotes, no decimal point)",
    "number": "a number (no quotes)",
    "boolean": "true or false (no quotes)",
    "string": "a string",
    "object": "an object",
    "array": "an array",
}

_FORMATS: Mapping[Any, str] = {
    "currency": "a three-letter ISO currency code in lower case, such as usd",
    "decimal": 'a decimal number in a string, such as "12.5"',
    "unix-time": "a moment as an integer of unix seconds",
}
