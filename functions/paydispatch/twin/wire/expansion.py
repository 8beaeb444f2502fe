"""Selects the fields of an answer. `expand[]=customer` replaces the id of the customer by the object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.traits import traits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paydispatch.twin.objects.shapes import Schema
    from paydispatch.twin.objects.store import StripeObject


def render(
    stripe_object: StripeObject,
    schema: Schema,
    paths: Sequence[str],
    find: Callable[[str], StripeObject | None],
) -> StripeObject:
    """Return the object as the answer shows it.

    A field that Stripe gives only on request appears only if `paths` has it.
    """
    on_request = {*_optional_lists(schema), *traits_of(stripe_object["object"]).on_request}
    hidden = on_request - {path.partition(".")[0] for path in paths}
    answer = stripe_object
    if hidden & stripe_object.keys():
        answer = {name: value for name, value in stripe_object.items() if name not in hidden}
    kinds = {name: field.get("refers", name) for name, field in schema["properties"].items()}
    for path in paths:
        answer = _along(answer, path.split("."), find, kinds)
    return answer


def _optional_lists(schema: Schema) -> set[str]:
    fields = schema["properties"].items()
    return {name for name, field in fields if "list" in field} - set(schema["required"])


def _along(
    node: Any,
    steps: list[str],
    find: Callable[[str], StripeObject | None],
    kinds: Mapping[str, str],
) -> Any:
    """Expand one path. `kinds` maps a field of the first step to the kind of its ids, where that is known."""
    if isinstance(node, list):
        return [_along(element, steps, find, kinds) for element in node]
    if not steps or not isinstance(node, dict) or steps[0] not in node:
        return node
    step, *rest = steps
    child = node[step]
    if isinstance(child, str):
        child = find(child) or {"id": child, "object": kinds.get(step, step)}
    return {**node, step: _along(child, rest, find, {})}
