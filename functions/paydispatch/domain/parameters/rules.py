"""The kinds of rules across fields, and the check of an object's rules. `stripe_rules` has the rules of Stripe.

A rule has two sides. `find` looks for a fault and describes it. `allowed` says the same in JSON Schema, so that the
schema engine accepts a valid request without a call of `find`. `allowed` may refuse more than `find`, because it does
not know that an empty object sends nothing. It must never accept more.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from paydispatch.domain.errors import ParamError
from paydispatch.domain.parameters.path import Path, bracket_path

Params = Mapping[str, Any]
Schema = Mapping[str, Any]
Place = tuple[str, ...]

EACH = "*"
"""In a place: each entry of a list, or each member of a map."""

MOST_DIGITS_READ = 400
"""A longer text of digits counts as an amount that is too large. It is not converted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule across the fields of one object."""

    find: Callable[[Params, Path], ParamError | None]
    """Return the fault of the object at the path. None: there is none."""
    allowed: Schema


def broken_rules(rules: Mapping[Place, Sequence[Rule]], params: Params) -> tuple[ParamError, ...]:
    """Return the faults of the rules that `params` break. The schema refuses values of a wrong type.

    `params` may hold JSON values or their wire forms.
    """
    faults = (
        rule.find(value, path)
        for place, its_rules in rules.items()
        for path, value in _objects_at(params, place)
        for rule in its_rules
    )
    return tuple(fault for fault in faults if fault)


def schema_of_rules(rules: Mapping[Place, Sequence[Rule]]) -> Schema:
    """Return the schema of the objects that break no rule."""
    all_of = [
        _below(place, {"allOf": [rule.allowed for rule in its_rules]})
        for place, its_rules in rules.items()
    ]
    return {"allOf": all_of} if all_of else {}


def _below(place: Place, schema: Schema) -> Schema:
    """Return the schema of an object that has `schema` at `place`, if it has anything there."""
    if not place:
        return schema
    step, *rest = place
    inner = _below(tuple(rest), schema)
    if step == EACH:
        return {"items": inner, "additionalProperties": inner}
    return {"properties": {step: inner}}


def _objects_at(value: Any, place: Place, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield each object at `place` with its path. An object that sends nothing is left out."""
    if not place:
        if isinstance(value, dict) and (not path or _sends(value)):
            yield path, value
        return
    step, *rest = place
    for name, member in _members_at(value, step):
        yield from _objects_at(member, tuple(rest), (*path, name))


def _members_at(value: Any, step: str) -> list[tuple[str | int, Any]]:
    if isinstance(value, list | tuple):
        return list(enumerate(value)) if step == EACH else []
    if not isinstance(value, dict):
        return []
    if step == EACH:
        return list(value.items())
    return [(step, value[step])] if step in value else []


def _sends(value: Any) -> bool:
    """Return whether the form body will hold the value. `None` and empty containers send nothing."""
    if isinstance(value, dict):
        return any(map(_sends, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_sends, value))
    return value is not None


def is_sent(params: Params, name: str) -> bool:
    """Return whether the form body will hold the field."""
    return name in params and _sends(params[name])


def at_least_one(*names: str) -> Rule:
    """Require one of `names`."""

    def find(params: Params, path: Path) -> ParamError | None:
        if any(is_sent(params, name) for name in names):
            return None
        listed = [bracket_path((*path, name)) for name in names]
        return ParamError(
            listed[0], "parameter_missing", f"Missing required param: one of {', '.join(listed)}."
        )

    return Rule(find, {"anyOf": [{"required": [name]} for name in names]})


def at_most_one(*names: str) -> Rule:
    """Refuse a second one of `names`. The fault of a nested object names the object."""

    def find(params: Params, path: Path) -> ParamError | None:
        sent = [name for name in names if is_sent(params, name)]
        if len(sent) < 2:
            return None
        listed = ", ".join(bracket_path((*path, name)) for name in sent)
        return ParamError(
            bracket_path(path) or sent[1],
            "parameters_exclusive",
            f"You may only specify one of these parameters: {listed}.",
        )

    pairs = combinations(names, 2)
    return Rule(find, {"allOf": [{"not": {"required": list(pair)}} for pair in pairs]})


def exactly_one(*names: str) -> tuple[Rule, Rule]:
    """Require one of `names`, and refuse a second one."""
    return at_least_one(*names), at_most_one(*names)


def needs(name: str, needed: str) -> Rule:
    """Require `needed` beside `name`."""

    def find(params: Params, path: Path) -> ParamError | None:
        if not is_sent(params, name) or is_sent(params, needed):
            return None
        missing = bracket_path((*path, needed))
        return ParamError(
            missing,
            "parameter_missing",
            f"Missing required param: {missing}, because {bracket_path((*path, name))} is given.",
        )

    return Rule(find, {"dependentRequired": {name: [needed]}})


def unless(condition: Callable[[Params], bool], fulfilled: Schema, rule: Rule) -> Rule:
    """Apply `rule` only where `condition` does not hold. `fulfilled` says in JSON Schema that it holds."""

    def find(params: Params, path: Path) -> ParamError | None:
        return None if condition(params) else rule.find(params, path)

    return Rule(find, {"anyOf": [fulfilled, rule.allowed]})


def integer_of(value: object) -> int | None:
    """Return the integer of a JSON integer or of its wire form. None: it is no integer."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    if not isinstance(value, str) or not value.isascii() or not value.removeprefix("-").isdigit():
        return None
    if len(value) <= MOST_DIGITS_READ:
        return int(value)
    beyond: int = 10**MOST_DIGITS_READ
    return -beyond if value.startswith("-") else beyond
