"""Checks the paths in `expand` against the fields of Stripe's answers of today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.twin.objects.expandable import fields_of, kinds_in
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.twin.objects.expandable import Fields

DEEPEST = 4
"""The levels that Stripe expands. The `data` of a list is a level."""


def check_expand(
    params: Mapping[str, Any], *kinds: str, is_list: bool = False, version: str
) -> None:
    """Check every path in `expand`. Raises `StripeError` (400) for one that Stripe cannot expand.

    `kinds` are the possible objects of the answer. Names are checked only if `version` is that of today, because the
    twin does not know the fields of other versions.
    """
    answers: list[Fields] = [fields_of(kind) for kind in kinds]
    root = [{"data": [*kinds]}] if is_list else answers
    for path in expand_paths(params):
        if path.count(".") >= DEEPEST:
            raise invalid_request(
                f"You cannot expand more than {DEEPEST} levels of a property. "
                f"Property: {path[:200]}",
                code="property_expansion_max_depth",
            )
        if version == STRIPE_API_VERSION:
            _check_path(path, root, answers if is_list else [])


def expand_paths(params: Mapping[str, Any]) -> list[str]:
    """Return the paths in `expand`. Raises `StripeError` (400) if it is no list."""
    asked = params.get("expand") or ()
    if isinstance(asked, str):
        raise invalid_request("Invalid array", param="expand")
    return [str(path) for path in (asked.values() if isinstance(asked, dict) else asked)]


def _check_path(path: str, levels: list[Fields], listed: list[Fields]) -> None:
    """Check a path step by step. `listed` has the fields of the elements if the answer is a list."""
    for number, step in enumerate(path.split(".")):
        values = [level.get(step, level.get("*")) for level in levels if {step, "*"} & {*level}]
        if not values:
            is_hinted = number == 0 and any(step in fields for fields in listed)
            raise _needs_data(path) if is_hinted else _unknown_property(step)
        levels = [fields for value in values for fields in _inside(value)]
        if not levels:
            raise invalid_request(f"This property cannot be expanded ({step[:200]}).")


def _inside(value: Any) -> list[Fields]:
    """Return the fields of the objects that a field can hold."""
    if isinstance(value, dict):
        return [value]
    return [fields_of(kind) for kind in kinds_in(value)]


def _needs_data(path: str) -> Exception:
    return invalid_request(
        f"This property cannot be expanded ({path[:200]}). "
        f"You may want to try expanding 'data.{path[:200]}' instead."
    )


def _unknown_property(step: str) -> Exception:
    return invalid_request(
        f"This property cannot be expanded because it doesn't exist: {step[:200]}."
    )
