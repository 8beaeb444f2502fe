"""Shows an answer as Stripe does: `expand[]=customer` replaces the id of the customer by the object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.on_request import fields_on_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paydispatch.twin.objects.store import StripeObject

    Find = Callable[[str], StripeObject | None]

Tree = dict[str, "Tree"]
"""The paths in `expand` by their first step: `{"latest_invoice": {"payments": {}}}`."""


def tree_of(paths: Iterable[str]) -> Tree:
    """Return the steps of the paths as a tree, so that paths with the same beginning are shown together."""
    tree: Tree = {}
    for path in paths:
        level = tree
        for step in path.split("."):
            level = level.setdefault(step, {})
    return tree


def render(stripe_object: StripeObject, tree: Tree, find: Find) -> StripeObject:
    """Return the object as the answer shows it. The same object comes back if nothing has to change.

    A field that Stripe gives only on request appears only if `tree` has it.
    """
    hidden = (fields_on_request(stripe_object["object"]) - tree.keys()) & stripe_object.keys()
    if not hidden and not tree:
        return stripe_object
    shown = {name: value for name, value in stripe_object.items() if name not in hidden}
    return shown | {name: _expand(shown[name], tree[name], find) for name in shown.keys() & tree}


def _expand(value: Any, tree: Tree, find: Find) -> Any:
    if isinstance(value, list):
        return [_expand(element, tree, find) for element in value]
    if isinstance(value, str):
        found = find(value)
        return value if found is None else render(found, tree, find)
    if not isinstance(value, dict) or not tree:
        return value
    if "id" in value and "object" in value:
        return render(find(value["id"]) or value, tree, find)
    return value | {name: _expand(value[name], tree[name], find) for name in value.keys() & tree}
