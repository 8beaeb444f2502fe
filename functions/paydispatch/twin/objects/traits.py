"""Reads `traits.json`: rules about objects that Stripe's OpenAPI document does not contain.

The key of an entry is the object's name. Every part of an entry is optional:

    "id":       "pi_{24}"                       24 random characters after the prefix
    "defaults": {field: value}                  used if the caller sent no value
    "inside":   {field: {name: value}}          the same inside an object that the caller sent
    "set":      {field: value}                  always set, also over the caller's value
    "cases":    [{"when": …, "set": …}]         set in order, if `when` holds
    "on_request": [field]                       shown only when expanded
    "refuses":  [{"when": …, "error": …}]       a rule across parameters, answered with 400. With a "version" it
                                                holds only for calls that name that version of Stripe's API
    "makes":    {param: {"object", "as", "with"}}   a nested create, as `product_data` creates a product
    "charges":  [{"when": …, "with": [param], "use": "charge" | "attach"}]   charges a card
    "declined": {"set", "shown_as", "reason_in", "charge_in"}
                                                the object that a declined card creates, by default none
    "unauthenticated": {"set": …}               set if the card requires authentication

`when` maps the path of a parameter to null (absent), a shell pattern, or a value. A value in `set` is JSON with:

    "{id}", "{parent}", "{mode}", "{24}", "{field}"    in strings: names, random characters, or a field of the object
    {"$now": seconds}                                  the current time plus these seconds
    {"$days": path}                                    the current time plus the days in a parameter
    {"$param": path}                                   the value of a parameter
    {"$of": path, "field": name}                       a field of the object with the id in a parameter
    {"$times": [path, path]}                           the product of numbers of the object
    {"$sum": path, "field": name}                      the sum of a field over a list of the object

`$days`, `$param` and `$of` take an "else" for a missing value.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_HOLE = re.compile(r"\{(\w+)\}")
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Traits:
    """One entry of `traits.json`."""

    id: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    inside: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    set: Mapping[str, Any] = field(default_factory=dict)
    cases: tuple[Mapping[str, Any], ...] = ()
    on_request: tuple[str, ...] = ()
    refuses: tuple[Mapping[str, Any], ...] = ()
    makes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    charges: tuple[Mapping[str, Any], ...] = ()
    declined: Mapping[str, Any] = field(default_factory=dict)
    unauthenticated: Mapping[str, Any] = field(default_factory=dict)


@cache
def traits_of(kind: str) -> Traits:
    """Return the entry of an object. Without an id there, its ids start with its prefix, or else with its name."""
    entry = dict(_entries().get(kind, {}))
    prefix = _prefixes().get(kind, kind.replace(".", "_"))
    for name in ("cases", "on_request", "refuses", "charges"):
        entry[name] = tuple(entry.get(name, ()))
    return Traits(**{"id": f"{prefix}_{{24}}", **entry})


@cache
def _entries() -> dict[str, dict[str, Any]]:
    text = (files(__package__) / "traits.json").read_text("utf-8")
    entries: dict[str, dict[str, Any]] = json.loads(text)
    return entries


@cache
def _prefixes() -> dict[str, str]:
    """Return the prefix of the ids of a kind: `{"charge": "ch"}`."""
    prefixes: dict[str, str] = json.loads(
        (files(__package__) / "id_prefixes.json").read_text("utf-8")
    )
    return prefixes


def at(params: Any, path: str) -> Any:
    """Return the value at a path such as `items.0.price`, or None."""
    for step in path.split("."):
        if isinstance(params, list) and step.isdigit() and int(step) < len(params):
            params = params[int(step)]
        elif isinstance(params, dict):
            params = params.get(step)
        else:
            return None
    return params


def holds(when: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Return whether the parameters meet every condition of `when`."""
    return all(_is(at(params, path), wanted) for path, wanted in when.items())


def _is(value: Any, wanted: Any) -> bool:
    if wanted is None or value in (None, ""):
        return wanted is None and value in (None, "")
    if isinstance(wanted, str):
        return wanted == "*" or (isinstance(value, str) and fnmatchcase(value, wanted))
    return bool(value == wanted)


@dataclass(frozen=True, slots=True)
class Scope:
    """The values that a template of `traits.json` may use."""

    params: Mapping[str, Any]
    made: Mapping[str, Any]
    """The object as built so far. Its `id` is set first."""

    names: Mapping[str, str]
    """The values of `parent` and `mode`."""

    now: int
    letters: Callable[[int], str]
    find: Callable[[str], Mapping[str, Any] | None]
    """Returns the object with that id, or None if the account has none."""


def value(template: Any, scope: Scope) -> Any:
    """Return the value of a template."""
    if isinstance(template, str):
        return _HOLE.sub(lambda hole: _fill(hole[1], scope), template)
    if isinstance(template, list):
        return [value(element, scope) for element in template]
    if isinstance(template, dict):
        return _compute(template, scope)
    return template


def _fill(name: str, scope: Scope) -> str:
    if name.isdigit():
        return scope.letters(int(name))
    return str(scope.names.get(name, scope.made.get(name, "")))


def _compute(template: dict[str, Any], scope: Scope) -> Any:
    if "$now" in template:
        return scope.now + template["$now"]
    if "$times" in template:
        return math.prod(at(scope.made, path) or 0 for path in template["$times"])
    if "$sum" in template:
        return sum(element[template["field"]] for element in at(scope.made, template["$sum"]) or ())
    found = _look_up(template, scope)
    if found is not None:
        return found
    if "else" in template:
        return value(template["else"], scope)
    if any(name.startswith("$") for name in template):
        return None
    return {name: value(element, scope) for name, element in template.items()}


def _look_up(template: dict[str, Any], scope: Scope) -> Any:
    if "$param" in template:
        return at(scope.params, template["$param"])
    if "$days" in template:
        days = at(scope.params, template["$days"])
        return None if days is None else scope.now + int(days) * _DAY_S
    if "$of" in template:
        referenced = at(scope.params, template["$of"])
        found = scope.find(referenced) if isinstance(referenced, str) else None
        return None if found is None else at(found, template["field"])
    return None
