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
from typing import TYPE_CHECKING, Any, NamedTuple

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
from paydispatch.domain.parameters.verdict import ACCEPTED, Verdict, warn
from paydispatch.domain.parameters.versions import of_any_version, of_today
from paydispatch.domain.stripe.resources import resource_named
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from paydispatch.domain.parameters.verdict import ParamWarning

MOST_ERRORS = 100
"""The number of errors that are reported for one request."""

_TOO_DEEP = ParamError("", "parameter_invalid", "params must not be nested so deeply.")

SCHEMAS = Path(__file__).parents[2] / "schemas"


def judge_params(
    object_name: str, params: Mapping[str, Any], version: str = STRIPE_API_VERSION
) -> Verdict:
    """Return every fault in `params` that Stripe would refuse, at most `MOST_ERRORS`, or else the warnings.

    `version` is the version of Stripe's API that the calls name. If it is not the schemas' own, names and values of
    enumerations that the schemas do not have are accepted with a warning. A field with the value `None` counts as
    absent. Raises `UnknownObject`.
    """
    try:
        if (
            type(params) is dict
            and is_plain(params)
            and _today(object_name).engine.is_valid(params)
        ):
            errors = broken_rules(object_name, params)
            return Verdict(errors) if errors else ACCEPTED
        return _explain(object_name, params, version)
    except (RecursionError, ValueError):  # Python's limit, or the engine's (255 levels)
        return Verdict((_TOO_DEEP,))


def check_params(
    object_name: str, params: Mapping[str, Any], version: str = STRIPE_API_VERSION
) -> tuple[ParamError, ...]:
    """Return the errors that `judge_params` finds."""
    return judge_params(object_name, params, version).errors


def require_valid_params(
    object_name: str, params: Mapping[str, Any], version: str = STRIPE_API_VERSION
) -> tuple[ParamWarning, ...]:
    """Return the warnings. Raise `InvalidParams` with everything that Stripe would refuse, or `UnknownObject`."""
    verdict = judge_params(resource_named(object_name).name, params, version)
    if verdict.errors:
        raise InvalidParams(verdict.errors)
    return verdict.warnings


def parameter_schema(object_name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the object's create parameters. Raises `UnknownObject`."""
    return _read(resource_named(object_name).identifier)


def parameter_names(object_name: str) -> frozenset[str]:
    """Return the names of the object's top-level create parameters. Raises `UnknownObject`."""
    return _names(resource_named(object_name).identifier)


def _explain(object_name: str, params: Mapping[str, Any], version: str) -> Verdict:
    """Return the faults that JSON Schema cannot find, then its own, then those of the rules across fields.

    If there are none, return a warning for each part that only the schema of `version` accepts.

    A fault of depth is returned alone, because no walk through such parameters is safe. Secret keys are returned alone,
    because the message of another fault could quote them.
    """
    too_deep = fault_of_depth(params)
    if too_deep is not None:
        return Verdict((too_deep,))
    secrets = faults_of_secrets(params)
    if secrets:
        return Verdict(secrets[:MOST_ERRORS])
    judged, faults = for_schema(params)
    blamed = {fault.param for fault in faults}
    said = (
        error
        for error in _refusals(_wide(object_name, version), judged, params, but=blamed)
        if error.param not in blamed
    )
    found = _first(chain(faults, said, broken_rules(object_name, params)))
    if found:
        return Verdict(found)
    unknown = _first(_refusals(_known(object_name, version), judged, params))
    return Verdict(warnings=tuple(warn(refusal, version) for refusal in unknown))


class _Compiled(NamedTuple):
    schema: dict[str, Any]
    engine: jsonschema_rs.Draft202012Validator


def _refusals(
    compiled: _Compiled, judged: Any, params: Any, *, but: Collection[str] = ()
) -> Iterator[ParamError]:
    """Yield what the schema refuses in `judged`, except at the paths in `but`. The messages quote `params`."""
    for refusal in compiled.engine.iter_errors(judged):
        if bracket_path(refusal.instance_path) not in but:
            yield from describe(refusal, params, compiled.schema)


def _first(errors: Iterable[ParamError]) -> tuple[ParamError, ...]:
    return tuple(dict.fromkeys(islice(errors, MOST_ERRORS)))


@cache
def _today(object_name: str) -> _Compiled:
    return _compile(of_today(parameter_schema(object_name)))


def _known(object_name: str, version: str) -> _Compiled:
    """Return the schema of the parameters that `version` is known to have."""
    return _both(object_name) if version == OLDER_API_VERSION else _today(object_name)


def _wide(object_name: str, version: str) -> _Compiled:
    """Return the schema of the parameters that are accepted with `version`."""
    return _both(object_name) if version == STRIPE_API_VERSION else _open(object_name)


@cache
def _both(object_name: str) -> _Compiled:
    return _compile(parameter_schema(object_name))


@cache
def _open(object_name: str) -> _Compiled:
    return _compile(of_any_version(parameter_schema(object_name)))


def _compile(schema: dict[str, Any]) -> _Compiled:
    return _Compiled(schema, jsonschema_rs.Draft202012Validator(schema))


@cache
def _read(identifier: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{identifier}.json").read_bytes())
    return schema


@cache
def _names(identifier: str) -> frozenset[str]:
    return frozenset(_read(identifier)["properties"])
