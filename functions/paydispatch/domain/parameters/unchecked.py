"""The parameters of a request that no schema checks: `unchecked_params`.

Stripe takes parameters that neither its document nor its libraries list. A caller sends them here. They are merged into
the checked parameters, and Stripe decides about them. Four things are refused, because they would harm paydispatch or
the caller: a Stripe key, raw card data, a value that no form body can hold, and a name that paydispatch itself sends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import ParamError
from paydispatch.domain.parameters.card_data import faults_of_card_data
from paydispatch.domain.parameters.json_values import fault_of_depth, faults_of_secrets, wire_form
from paydispatch.domain.parameters.messages import describe_option
from paydispatch.domain.parameters.path import Path, bracket_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIELD = "unchecked_params"

MOST_NAMES_LOGGED = 20
"""A log line names this many unchecked parameters at most, so that no request makes it too long."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def merge_unchecked(params: Mapping[str, Any], unchecked: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters that are sent. Objects are merged, and any other unchecked value replaces a checked one."""
    if not unchecked:
        return params
    merged = dict(params)
    for name, value in unchecked.items():
        below = merged.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            merged[name] = merge_unchecked(below, value)
        else:
            merged[name] = value
    return merged


def unchecked_places(
    params: Mapping[str, Any], unchecked: Mapping[str, Any], path: Path = ()
) -> Iterator[Path]:
    """Yield the path of each value that `merge_unchecked` takes from `unchecked`."""
    for name, value in unchecked.items():
        below = params.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            yield from unchecked_places(below, value, (*path, name))
        else:
            yield (*path, name)


def is_unchecked(param: str, places: frozenset[str]) -> bool:
    """Return whether an error at `param` concerns an unchecked value: at its place, inside it, or around it."""
    return any(
        place == param or param.startswith(f"{place}[") or place.startswith(f"{param}[")
        for place in places
    )


def faults_of_unchecked(unchecked: Mapping[str, Any]) -> tuple[ParamError, ...]:
    """Return the faults for which `unchecked` is refused. Each names its place below `unchecked_params`."""
    too_deep = fault_of_depth({FIELD: unchecked})
    if too_deep is not None:
        return (too_deep,)
    field = {FIELD: unchecked}
    hidden = faults_of_secrets(field) or faults_of_card_data("", field)
    if hidden:
        return hidden
    return (*wire_form(field)[1], *_faults_of_names(unchecked, (FIELD,)), *_own_names(unchecked))


def logged_names(unchecked: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the field of a log line: the names of the unchecked parameters, and never a value."""
    names = sorted(name for name in unchecked if _NAME.fullmatch(name))[:MOST_NAMES_LOGGED]
    return {FIELD: names} if unchecked else {}


def _faults_of_names(value: Any, path: Path) -> Iterator[ParamError]:
    if isinstance(value, dict):
        for name, member in value.items():
            if not name or "[" in str(name) or "]" in str(name):
                yield _fault(
                    (*path, name), "write a nested parameter as an object, not with brackets"
                )
            yield from _faults_of_names(member, (*path, name))
    elif isinstance(value, list | tuple):
        for index, member in enumerate(value):
            yield from _faults_of_names(member, (*path, index))


def _own_names(unchecked: Mapping[str, Any]) -> Iterator[ParamError]:
    """Yield the faults of the names that paydispatch sends itself."""
    for name, value in unchecked.items():
        hint = describe_option(name)
        if hint:
            yield ParamError(bracket_path((FIELD, name)), "parameter_unknown", hint)
        if name == "metadata" and not isinstance(value, dict):
            yield _fault(
                (FIELD, name), "must be an object, because paydispatch adds a pair of its own"
            )


def _fault(path: Path, why: str) -> ParamError:
    param = bracket_path(path)[:200]
    return ParamError(param, "parameter_invalid", f"Invalid {param}: {why}.")
