"""Checks the paths in `expand` against the fields of Stripe's answers of today.

`tools/twin_expandable.py` writes these fields. Its docstring describes the file.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST = 4
"""The levels that Stripe expands. The `data` of a list is a level."""

Fields = dict[str, Any]
"""The value of a field: a kind, several kinds, the fields of an object inside, or None."""


def check_expand(
    params: Mapping[str, Any], kind: str, *, is_list: bool = False, version: str
) -> None:
    """Check every path in `expand`. Raises `StripeError` (400) for one that Stripe cannot expand.

    `kind` is the object of the answer. Names are checked only if `version` is that of today, because the twin does
    not know the fields of other versions.
    """
    answer: Fields = {"data": kind} if is_list else _kinds()[kind]
    for path in expand_paths(params):
        if path.count(".") >= DEEPEST:
            raise invalid_request(
                f"You cannot expand more than {DEEPEST} levels of a property. "
                f"Property: {path[:200]}",
                code="property_expansion_max_depth",
            )
        if version == STRIPE_API_VERSION:
            _check_path(path, answer, kind if is_list else None)


def expand_paths(params: Mapping[str, Any]) -> list[str]:
    """Return the paths in `expand`."""
    asked = params.get("expand") or ()
    return [str(path) for path in (asked.values() if isinstance(asked, dict) else asked)]


def _check_path(path: str, answer: Fields, listed: str | None) -> None:
    """Check a path step by step. `listed` is the kind of the elements if the answer is a list."""
    levels = [answer]
    for number, step in enumerate(path.split(".")):
        values = [level.get(step, level.get("*")) for level in levels if {step, "*"} & {*level}]
        if not values:
            is_hinted = number == 0 and listed is not None and step in _kinds()[listed]
            raise _needs_data(path) if is_hinted else _unknown_property(step)
        levels = [fields for value in values for fields in _inside(value)]
        if not levels:
            raise invalid_request(f"This property cannot be expanded ({step[:200]}).")


def _inside(value: Any) -> list[Fields]:
    """Return the fields of the objects that a field can hold."""
    if isinstance(value, dict):
        return [value]
    kinds = [value] if isinstance(value, str) else value or []
    return [_kinds()[kind] for kind in kinds]


def _needs_data(path: str) -> Exception:
    return invalid_request(
        f"This property cannot be expanded ({path[:200]}). "
        f"You may want to try expanding 'data.{path[:200]}' instead."
    )


def _unknown_property(step: str) -> Exception:
    return invalid_request(
        f"This property cannot be expanded because it doesn't exist: {step[:200]}."
    )


@cache
def _kinds() -> dict[str, Fields]:
    """Return the fields of each kind of object that an `expand` can reach."""
    text = (files("paydispatch.twin.objects") / "expandable.json").read_text("utf-8")
    kinds: dict[str, Fields] = json.loads(text)
    return kinds
