"""What Stripe's document does not say of an object, from `traits.json`.

An entry (every part is optional), by the object's name:

    "id":       "pi_{24}"                       24 random characters after the prefix
    "defaults": {field: value}                  as if the caller had sent them
    "inside":   {field: {name: value}}          the same inside an object the caller did send
    "set":      {field: value}                  always, whatever the caller sent
    "cases":    [{"when": …, "set": …}]         each that holds, in order
    "on_request": [field]                       shown only when expanded
    "refuses":  [{"when": …, "error": …}]       a rule across parameters: 400
    "makes":    {param: {"object", "as", "with"}}   a nested create: `product_data` makes a product
    "charges":  [{"when": …, "with": [param], "use": "charge" | "attach"}]   a card is tried
    "declined": {"set", "shown_as", "reason_in", "charge_in"}
                                                what a declined card leaves; without it, nothing
    "unauthenticated": {"set": …}               … and a card that wants its owner's consent

`when` maps a parameter's path to null (absent), a shell pattern, or a value. A value in `set` is
JSON; its strings may hold `{id}`, `{parent}`, `{mode}`, `{24}` (random), or a field of the object;
its objects may be {"$now": seconds later}, {"$days": path of a parameter}, {"$param": path}, or
{"$of": path of an id, "field": name of that object's field}, the last three with an "else";
{"$times": [path, path]} multiplies numbers of the object, {"$sum": list, "field": name} adds them up.
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
    """Return the object's entry; one without an entry still gets an id of its own kind."""
    entry = dict(_entries().get(kind, {}))
    prefix = kind.replace(".", "_")
    for name in ("cases", "on_request", "refuses", "charges"):
        entry[name] = tuple(entry.get(name, ()))
    return Traits(**{"id": f"{prefix}_{{24}}", **entry})


@cache
def _entries() -> dict[str, dict[str, Any]]:
    text = (files(__package__) / "traits.json").read_text("utf-8")
    entries: dict[str, dict[str, Any]] = json.loads(text)
    return entries


def at(params: Any, path: str) -> Any:
    """Return the parameter at `items.0.price`, or None."""
    for step in path.split("."):
        if isinstance(params, list) and step.isdigit() and int(step) < len(params):
            params = params[int(step)]
        elif isinstance(params, dict):
            params = params.get(step)
        else:
            return None
    return params


def holds(when: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Whether every condition of `when` is true of the parameters."""
    return all(_is(at(params, path), wanted) for path, wanted in when.items())


def _is(value: Any, wanted: Any) -> bool:
    if wanted is None or value in (None, ""):
        return wanted is None and value in (None, "")
    if isinstance(wanted, str):
        return wanted == "*" or (isinstance(value, str) and fnmatchcase(value, wanted))
    return bool(value == wanted)


@dataclass(frozen=True, slots=True)
class Scope:
    """What the values of a trait may speak of."""

    params: Mapping[str, Any]
    made: Mapping[str, Any]
    """The object so far, `id` first of all."""

    names: Mapping[str, str]
    """`parent`, `mode`."""

    now: int
    letters: Callable[[int], str]
    find: Callable[[str], Mapping[str, Any] | None]
    """The object of that id, if the account has it."""


def value(template: Any, scope: Scope) -> Any:
    """Return the value a trait's template stands for."""
    if isinstance(template, str):
        return _HOLE.sub(lambda hole: _fill(hole[1], scope), template)
    if isinstance(template, list):
        return [value(element, scope) for element in template]
    if isinstance(template, dict):
        return _computed(template, scope)
    return template


def _fill(name: str, scope: Scope) -> str:
    if name.isdigit():
        return scope.letters(int(name))
    return str(scope.names.get(name, scope.made.get(name, "")))


def _computed(template: dict[str, Any], scope: Scope) -> Any:
    if "$now" in template:
        return scope.now + template["$now"]
    if "$times" in template:
        return math.prod(at(scope.made, path) or 0 for path in template["$times"])
    if "$sum" in template:
        return sum(element[template["field"]] for element in at(scope.made, template["$sum"]) or ())
    found = _looked_up(template, scope)
    if found is not None:
        return found
    if "else" in template:
        return value(template["else"], scope)
    if any(name.startswith("$") for name in template):
        return None
    return {name: value(element, scope) for name, element in template.items()}


def _looked_up(template: dict[str, Any], scope: Scope) -> Any:
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
