"""Check parameters with Stripe's own schema, before the request is queued.

The schemas are generated (`make schemas`). The schema of an object is read and compiled when it is first needed. A
valid request costs one call of the schema engine, one pass over its values, and the few `rules`. The faults of a
request are worked out only if it is invalid.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from paydispatch.domain.errors import InvalidParams, ParamError
from paydispatch.domain.parameters.json_values import (
    fault_of_depth,
    faults_of_secrets,
    for_schema,
    is_plain,
)
from paydispatch.domain.parameters.messages import describe
from paydispatch.domain.parameters.path import bracket_path
from paydispatch.domain.parameters.rules import broken_rules
from paydispatch.domain.stripe.resources import resource_named

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_ERRORS = 100
"""The number of errors that are reported for one request."""

SCHEMAS = Path(__file__).parents[2] / "schemas"


def check_params(object_name: str, params: Mapping[str, Any]) -> tuple[ParamError, ...]:
    """Return every fault in `params` that Stripe would refuse, at most `MOST_ERRORS`.

    A field with the value `None` counts as absent. Raises `UnknownObject`.
    """
    try:
        if type(params) is dict and is_plain(params) and _validator(object_name).is_valid(params):
            return broken_rules(object_name, params)
        return _explain(object_name, params)
    except (RecursionError, ValueError):  # Python's limit, or the engine's (255 levels)
        return (ParamError("", "parameter_invalid", "params must not be nested so deeply."),)


def require_valid_params(object_name: str, params: Mapping[str, Any]) -> None:
    """Raise `InvalidParams` with everything that Stripe would refuse, or `UnknownObject`."""
    errors = check_params(resource_named(object_name).name, params)
    if errors:
        raise InvalidParams(errors)


def parameter_schema(object_name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the object's create parameters. Raises `UnknownObject`."""
    return _read(resource_named(object_name).identifier)


def parameter_names(object_name: str) -> frozenset[str]:
    """Return the names of the object's top-level create parameters. Raises `UnknownObject`."""
    return _names(resource_named(object_name).identifier)


def _explain(object_name: str, params: Mapping[str, Any]) -> tuple[ParamError, ...]:
    """Return the faults that JSON Schema cannot find, then its own, then those of the rules across fields.

    A fault of depth is returned alone, because no walk through such parameters is safe. Secret keys are returned alone,
    because the message of another fault could quote them.
    """
    too_deep = fault_of_depth(params)
    if too_deep is not None:
        return (too_deep,)
    secrets = faults_of_secrets(params)
    if secrets:
        return secrets[:MOST_ERRORS]
    judged, faults = for_schema(params)
    schema = parameter_schema(object_name)
    blamed = {fault.param for fault in faults}
    said = (
        error
        for refusal in _validator(object_name).iter_errors(judged)
        if bracket_path(refusal.instance_path) not in blamed
        for error in describe(refusal, params, schema)
        if error.param not in blamed
    )
    found = chain(faults, said, broken_rules(object_name, params))
    return tuple(dict.fromkeys(islice(found, MOST_ERRORS)))


@cache
def _validator(object_name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(parameter_schema(object_name))


@cache
def _read(identifier: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{identifier}.json").read_bytes())
    return schema


@cache
def _names(identifier: str) -> frozenset[str]:
    return frozenset(_read(identifier)["properties"])
