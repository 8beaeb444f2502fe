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
from paydispatch.domain.parameters.wire_schema import JSON_TYPE

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
    """Return the error of an unknown name, with the most similar known name or with the place where it belongs."""
    option = describe_option(path[0]) if len(path) == 1 else None
    if option:
        return ParamError(str(path[0]), "parameter_unknown", option)
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


def describe_option(name: object) -> str | None:
    """Return where an option of the call belongs that stands among the parameters. None: the name is no option."""
    belongs = _OPTIONS.get(name) if isinstance(name, str) else None
    return belongs and f"{name} is no parameter of Stripe's create. {belongs}"


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
        branch
        for branch in branches
        if not any(_is_elsewhere(error, inner, schema) for inner in branch)
    ]
    if meant:
        for inner in meant[0]:
            yield from describe(inner, params, schema)
        return
    wanted = " or ".join(dict.fromkeys(_expectation(branch[0], schema) for branch in branches))
    yield _describe_refusal(error, params, wanted, _code(branches[0][0], schema))


def _is_elsewhere(
    outer: ValidationError, inner: ValidationError, schema: Mapping[str, Any]
) -> bool:
    """Return whether the value is of another kind than the alternative, and not only wrong inside."""
    if inner.instance_path != outer.instance_path:
        return False
    if inner.kind.name == "pattern":
        return _json_type(inner, schema) != "string"
    return inner.kind.name in ("type", "const", "enum")


def _describe_invalid(error: ValidationError, params: Any, schema: Mapping[str, Any]) -> ParamError:
    return _describe_refusal(error, params, _expectation(error, schema), _code(error, schema))


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
        f"Send {wanted}, or leave it out if it is not required.",
    )


def _but_is(value: object) -> str:
    """Return the value that was sent instead, to follow "must be …". It is left out if it is long."""
    if isinstance(value, dict | list | tuple):
        return f", not {'an object' if isinstance(value, dict) else 'an array'}"
    shown = redact(json.dumps(value, ensure_ascii=False))  # the value may hold a Stripe key
    return f", not {shown}" if len(shown) <= SHOWN_CHARACTERS else ""


def _code(error: ValidationError, schema: Mapping[str, Any]) -> str:
    if error.kind.name in ("type", "pattern") or _is_boolean(error, schema):
        return f"parameter_invalid_{_json_type(error, schema)}"
    if error.kind.name in ("enum", "maxLength"):
        return "parameter_invalid_string"
    return "parameter_invalid"


def _expectation(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """Return the description of a right value, to follow "must be"."""
    limit = error.kind.value
    match error.kind.name:
        case "type" | "pattern":
            format_ = _neighbour_keyword(schema, error, "format")
            return _FORMATS.get(format_) or _TYPES[_json_type(error, schema)]
        case "enum":
            return _TYPES["boolean"] if _is_boolean(error, schema) else _any_of(limit)
        case "minLength":
            return "a text that is not empty"
        case "const":
            return "an empty string to unset it"
        case "maxLength":
            return f"at most {limit} characters long"
        case "maxProperties":
            return f"an object of at most {limit} pairs"
    return error.message


def _json_type(error: ValidationError, schema: Mapping[str, Any]) -> str:
    """Return the JSON type that Stripe's document names. The engine sees only the type of the wire form."""
    named = _neighbour_keyword(schema, error, JSON_TYPE)
    return str(named or (error.kind.value[0] if error.kind.name == "type" else "string"))


def _is_boolean(error: ValidationError, schema: Mapping[str, Any]) -> bool:
    return bool(_neighbour_keyword(schema, error, JSON_TYPE) == "boolean")


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
    "integer": "an integer (no decimal point)",
    "number": "a number",
    "boolean": "true or false",
    "string": "a string",
    "object": "an object",
    "array": "an array",
}

_FORMATS: Mapping[Any, str] = {
    "currency": "a three-letter ISO currency code, such as usd",
    "decimal": "a decimal number, such as 12.5",
    "unix-time": "a moment as an integer of unix seconds",
}

_BESIDE = "It is an option of the call: send {} beside params, not inside."
_OPTIONS: Mapping[str, str] = {
    **{
        name: _BESIDE.format(name)
        for name in (
            "stripe_account",
            "stripe_context",
            "stripe_secret",
            "secret_ref",
            "idempotency_key",
            "worker_id",
            "context_id",
            "lane",
            "deadline_s",
            "unchecked_params",
        )
    },
    "api_key": "Send the key beside params, as stripe_secret, or its name as secret_ref.",
    "stripe_version": "paydispatch sends the version that its schemas are made for. The setting STRIPE_API_VERSION "
    "of the Stripe caller names another.",
    "api_version": "paydispatch sends the version that its schemas are made for. The setting STRIPE_API_VERSION "
    "of the Stripe caller names another.",
}
"""The options that official libraries take beside or among the parameters, and those of paydispatch."""
