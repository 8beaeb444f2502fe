"""Checks that the objects that parameters name exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.twin.wire.errors import missing_object

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

_FREE_TEXT = ("metadata", "expand")


def check_references(
    params: Mapping[str, Any],
    kinds: Collection[str],
    exists: Callable[[str, str], bool],
) -> None:
    """Raise `StripeError` (400) for the first object that a parameter names and that does not exist.

    A parameter with the name of one of `kinds` holds an id of that kind. Ids of other kinds are not checked.
    """
    for param, kind, object_id in _references(params, kinds, ""):
        if not exists(kind, object_id):
            raise missing_object(kind, object_id, param=param, status=400)


def _references(
    values: Mapping[str, Any], kinds: Collection[str], inside: str
) -> Iterator[tuple[str, str, str]]:
    for name, value in values.items():
        path = f"{inside}[{name}]" if inside else name
        if name in _FREE_TEXT:
            continue
        if isinstance(value, str) and value and name in kinds:
            yield path, name, value
        for inner_path, inner in _inner(path, value):
            yield from _references(inner, kinds, inner_path)


def _inner(path: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, dict):
        yield path, value
    elif isinstance(value, list):
        for index, element in enumerate(value):
            if isinstance(element, dict):
                yield f"{path}[{index}]", element
