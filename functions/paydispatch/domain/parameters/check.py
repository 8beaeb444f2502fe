"""Check parameters with Stripe's own schema, before the request is queued.

The schemas are generated (`make schemas`). The schema of an operation is read and compiled when it is first needed. A
request in the JSON types of the schema costs one call of the schema engine and one pass over its values. Any other
request is judged by its wire form and by the rules, and its faults are worked out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import InvalidParams, ParamError
from paydispatch.domain.parameters.card_data import faults_of_card_data
from paydispatch.domain.parameters.json_values import (
    fault_of_depth,
    faults_of_secrets,
    is_plain,
    rename_as_wire_form,
    wire_form,
)
from paydispatch.domain.parameters.messages import describe
from paydispatch.domain.parameters.path import bracket_path
from paydispatch.domain.parameters.plain_values import plain_value
from paydispatch.domain.parameters.rules import broken_rules, schema_of_rules
from paydispatch.domain.parameters.stripe_rules import NO_RULES, RULES
from paydispatch.domain.parameters.unchecked import (
    faults_of_unchecked,
    is_unchecked,
    merge_unchecked,
    unchecked_places,
)
from paydispatch.domain.parameters.verdict import ACCEPTED, Verdict, warn
from paydispatch.domain.parameters.versions import of_any_version, of_today
from paydispatch.domain.parameters.wire_schema import wire_schema
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION
from paydispatch.domain.text.json_rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import jsonschema_rs

    from paydispatch.domain.parameters.verdict import ParamWarning

MOST_ERRORS = 100
"""The number of errors that are reported for one request."""

SCHEMAS = Path(__file__).parents[2] / "schemas"

DRAFT = "https://json-schema.org/draft/2020-12/schema"

DEFINITIONS = "#/$defs/"

_REFERENCE = re.compile(r'"\$ref":"(#/\$defs/[^"]+)"')

_NOTHING: Mapping[str, Any] = MappingProxyType({})

_TOO_DEEP = ParamError("", "parameter_invalid", "params must not be nested so deeply.")


def judge_params(
    operation: str,
    params: Mapping[str, Any],
    unchecked: Mapping[str, Any] = _NOTHING,
    version: str = STRIPE_API_VERSION,
) -> Verdict:
    """Return every fault in `params` that Stripe would refuse, at most `MOST_ERRORS`, or else the warnings.

    A field with the value `None` counts as absent. A scalar counts by its text on the wire, so that `"2000"` is an
    integer. `unchecked` is sent beside `params`: Stripe decides about it, and a required parameter may stand in it.

    `version` is the version of Stripe's API that the calls name. If it is not the schemas' own, names and values of
    enumerations that the schemas do not have are accepted with a warning. Raises `UnknownOperation`.
    """
    validator = _validator(operation)
    try:
        if unchecked:
            return _judge_merged(operation, params, unchecked, version)
        if type(params) is dict and is_plain(params) and validator.is_valid(params):
            return ACCEPTED
        alone = _faults_that_hide_others(operation, params)
        return Verdict(alone[:MOST_ERRORS]) if alone else _explain(operation, params, version)
    except (RecursionError, ValueError):  # Python's limit, or the engine's (255 levels)
        return Verdict((_TOO_DEEP,))


def check_params(
    operation: str,
    params: Mapping[str, Any],
    unchecked: Mapping[str, Any] = _NOTHING,
    version: str = STRIPE_API_VERSION,
) -> tuple[ParamError, ...]:
    """Return the errors that `judge_params` finds."""
    return judge_params(operation, params, unchecked, version).errors


def require_valid_params(
    operation: str,
    params: Mapping[str, Any],
    unchecked: Mapping[str, Any] = _NOTHING,
    version: str = STRIPE_API_VERSION,
) -> tuple[ParamWarning, ...]:
    """Return the warnings. Raise `InvalidParams` with everything that Stripe would refuse, or `UnknownOperation`."""
    verdict = judge_params(operation, params, unchecked, version)
    if verdict.errors:
        raise InvalidParams(verdict.errors)
    return verdict.warnings


def compile_schemas(operation: str, version: str = STRIPE_API_VERSION) -> None:
    """Read and compile all that a check of this operation needs, so that its first check costs what the second costs.

    Raises `UnknownOperation`.
    """
    _validator(operation)  # for a valid request in the JSON types of the schema
    _known(operation, version)  # for any other request
    _wide(operation, version)  # for the faults and the warnings
    parameter_names(operation)


@cache
def parameter_schema(operation: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the operation's parameters. Raises `UnknownOperation`.

    Its title is the object. It has no other definitions than those it refers to. Do not change it, because it is kept.
    """
    object_name = operation_named(operation).object
    rows = _rows(object_name.replace(".", "_"))
    schema = {"$schema": DRAFT, "title": object_name, **json.loads(rows[operation])}
    used = _references(operation, rows)
    definitions = {
        row.removeprefix(DEFINITIONS): json.loads(text) for row, text in rows.items() if row in used
    }
    return {**schema, "$defs": definitions} if definitions else schema


@cache
def parameter_names(operation: str) -> frozenset[str]:
    """Return the names of the operation's top-level parameters. Raises `UnknownOperation`."""
    return frozenset(parameter_schema(operation)["properties"])


def _judge_merged(
    operation: str, params: Mapping[str, Any], unchecked: Mapping[str, Any], version: str
) -> Verdict:
    """Judge the parameters as they are sent, and leave out the faults of those that are not checked."""
    refused = faults_of_unchecked(unchecked) or _faults_that_hide_others(operation, params)
    if refused:
        return Verdict(refused[:MOST_ERRORS])
    places = frozenset(map(bracket_path, unchecked_places(params, unchecked)))
    return _explain(operation, merge_unchecked(params, unchecked), version, places)


def _explain(
    operation: str,
    params: Mapping[str, Any],
    version: str,
    unchecked_places: frozenset[str] = frozenset(),
) -> Verdict:
    """Return the faults that no schema can find, then those of the schema, then those of the rules across fields.

    If there are none, return a warning for each part that only the schema of `version` accepts. Nothing is said about
    a part at `unchecked_places`.
    """
    form, faults = wire_form(params)
    sent = _Sent(params, form, unchecked_places)
    rules = broken_rules(RULES.get(operation, NO_RULES), form)
    known = _known(operation, version)
    if not faults and known.engine.is_valid(form):
        return Verdict(sent.checked(rules))
    refusals = sent.refusals(_wide(operation, version), but={fault.param for fault in faults})
    found = sent.checked(chain(faults, refusals, rules))
    if found:
        return Verdict(found)
    unknown = sent.checked(sent.refusals(known))
    return Verdict(warnings=tuple(warn(refusal, version) for refusal in unknown))


@dataclass(frozen=True, slots=True)
class _Sent:
    """The parameters of one request as they are sent."""

    params: Mapping[str, Any]
    """The values for messages."""
    form: Mapping[str, Any]
    """The wire forms for the schema."""
    unchecked_places: frozenset[str]

    def refusals(self, compiled: _Compiled, *, but: Collection[str] = ()) -> Iterator[ParamError]:
        """Yield an error for each value that the schema refuses, except at the paths in `but`."""
        plain = rename_as_wire_form(plain_value(self.params))
        for refusal in compiled.engine.iter_errors(self.form):
            if bracket_path(refusal.instance_path) not in but:
                described = describe(refusal, plain, compiled.schema)
                yield from (error for error in described if error.param not in but)

    def checked(self, errors: Iterable[ParamError]) -> tuple[ParamError, ...]:
        """Return the errors about checked values, at most `MOST_ERRORS`."""
        places = self.unchecked_places
        found = (error for error in errors if not is_unchecked(error.param, places))
        return tuple(dict.fromkeys(islice(found, MOST_ERRORS)))


def _faults_that_hide_others(operation: str, params: Mapping[str, Any]) -> tuple[ParamError, ...]:
    """Return the faults that are reported alone.

    No walk through parameters that are nested too deeply is safe. The message of another fault could quote a secret key
    or the number of a card.
    """
    too_deep = fault_of_depth(params)
    if too_deep is not None:
        return (too_deep,)
    object_name = operation_named(operation).object
    return faults_of_secrets(params) or faults_of_card_data(object_name, params)


@dataclass(frozen=True, slots=True)
class _Compiled:
    schema: dict[str, Any]
    engine: jsonschema_rs.Draft202012Validator


@cache
def _validator(operation: str) -> jsonschema_rs.Draft202012Validator:
    """Return the validator of JSON values. It knows the rules across fields too, so that a valid request is quick."""
    rules = schema_of_rules(RULES.get(operation, NO_RULES))
    today = of_today(parameter_schema(operation))
    return _engine_for({**today, **rules})


def _known(operation: str, version: str) -> _Compiled:
    """Return the schema of the parameters that `version` is known to have."""
    return _both(operation) if version == OLDER_API_VERSION else _today(operation)


def _wide(operation: str, version: str) -> _Compiled:
    """Return the schema of the parameters that are accepted with `version`."""
    return _both(operation) if version == STRIPE_API_VERSION else _open(operation)


@cache
def _today(operation: str) -> _Compiled:
    return _compile(of_today(parameter_schema(operation)))


@cache
def _both(operation: str) -> _Compiled:
    return _compile(parameter_schema(operation))


@cache
def _open(operation: str) -> _Compiled:
    return _compile(of_any_version(parameter_schema(operation)))


def _compile(schema: dict[str, Any]) -> _Compiled:
    """Compile the schema of the wire forms: a value fits it if its text on the wire fits `schema`."""
    wire = wire_schema(schema)
    return _Compiled(wire, _engine_for(wire))


def _engine_for(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Compile a schema. Loads the engine only now, because a flow runner whose flows dispatch nothing needs none."""
    import jsonschema_rs

    return jsonschema_rs.Draft202012Validator(schema)


@cache
def _rows(file: str) -> dict[str, str]:
    """Return the rows of the file of an object: its operations, and the definitions that they share."""
    return read_rows(SCHEMAS / f"{file}.json")


def _references(row: str, rows: Mapping[str, str]) -> set[str]:
    """Return the definitions that a row refers to, at any depth."""
    found: set[str] = set()
    waiting = [row]
    while waiting:
        new = set(_REFERENCE.findall(rows[waiting.pop()])) - found
        found |= new
        waiting.extend(new)
    return found
