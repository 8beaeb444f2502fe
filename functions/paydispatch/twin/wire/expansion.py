"""What an answer shows of an object: `expand[]=customer` puts one where its id would stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.objects.traits import traits_of
from paydispatch.twin.wire.errors import invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paydispatch.twin.objects.shapes import Schema
    from paydispatch.twin.objects.store import StripeObject

DEEPEST = 4


def expand_paths(params: Mapping[str, Any], schema: Schema, *, inside: str = "") -> list[str]:
    """Return what `expand` asks for, without the prefix `inside` ("data." in lists).

    Raises `StripeError` (400) for a field the object does not have.
    """
    asked = params.get("expand") or ()
    paths = [str(path) for path in (asked.values() if isinstance(asked, dict) else asked)]
    for path in paths:
        root = path.removeprefix(inside).partition(".")[0]
        known = path.startswith(inside) and root in schema["properties"]
        if not known or path.count(".") >= DEEPEST:
            raise invalid_request(
                f"This property cannot be expanded ({path[:200]}).", param="expand"
            )
    return [path.removeprefix(inside) for path in paths]


def shown(
    stripe_object: StripeObject,
    schema: Schema,
    paths: Sequence[str],
    find: Callable[[str], StripeObject | None],
) -> StripeObject:
    """Return the object as it is answered: what is only given on request, only then."""
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
    """Follow one path. `kinds` names the objects the first step's ids are of, where it is known."""
    if isinstance(node, list):
        return [_along(element, steps, find, kinds) for element in node]
    if not steps or not isinstance(node, dict) or steps[0] not in node:
        return node
    step, *rest = steps
    child = node[step]
    if isinstance(child, str):
        child = find(child) or {"id": child, "object": kinds.get(step, step)}
    return {**node, step: _along(child, rest, find, {})}
