"""The table of operations: every v1 write of Stripe's API that paydispatch can call.

The table is generated (`make schemas`) from Stripe's OpenAPI document and from its official library. It is read when it
is first needed. `docs/operations-table.md` shows it, with the writes that are left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from paydispatch.domain.errors import InvalidField, UnknownOperation
from paydispatch.domain.stripe.listings import Listing, listing_of
from paydispatch.domain.text.json_rows import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

TABLE = Path(__file__).with_name("operations.json")

_ROUTE = re.compile(r'"method":"([A-Z]+)","path":"([^"]+)"')
"""Finds the method and the path in the text of a row, because parsing all rows takes ten times as long."""

LONGEST_ID = 255
"""In characters. Stripe's own ids are shorter than 100. A caller can choose the id of a coupon, a product or a plan."""

Ids = dict[str, str]

Shape = tuple[str, int, str]
"""The method, the number of words in the path, and the word after `/v1/`."""

Route = tuple[str, str, list[str]]
"""The name of an operation, its method, and the words of its path template."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One write of Stripe's API."""

    name: str
    """The verb of the official library, and the object: `capture_payment_intent`."""

    object: str
    """The object that it acts on: `payment_intent`. Only `checkout.session` has a dot."""

    method: str
    """`POST` or `DELETE`."""

    path: str
    """The path template at Stripe and in our API: `/v1/payment_intents/{intent}/capture`."""

    creates: bool
    """Whether it makes a new object."""

    marked: bool
    """Whether it makes a new object and takes metadata, so that our pair can mark the object."""

    sources: tuple[str, ...] = ()
    """The sources that know it: `document`, `library` or both."""

    listing: Listing | None = field(default=None, compare=False)
    """How Stripe lists the objects that it creates, or `None` if there is no list at its path."""

    @property
    def path_names(self) -> tuple[str, ...]:
        """The names of the ids in the path, in their order: `("intent",)`."""
        return tuple(word[1:-1] for word in self.path.split("/") if word.startswith("{"))

    @property
    def response_flow(self) -> str:
        """The name of the flow for its answer: `new_capture_payment_intent_response`."""
        return f"new_{self.name}_response"

    @property
    def error_flow(self) -> str:
        """The name of the flow for its error: `new_capture_payment_intent_error`."""
        return f"new_{self.name}_error"

    def endpoint(self, ids: Mapping[str, str]) -> str:
        """Return the path with `ids` in it, percent-encoded. Raises `InvalidField` as `check_path_ids` does."""
        check_path_ids(self, ids)
        return _endpoint(self, ids)


def all_operations() -> tuple[Operation, ...]:
    """Return every operation, sorted by name."""
    return tuple(_operation_of_row(name) for name in _rows())


def operation_named(name: str) -> Operation:
    """Return the operation `name`. Raises `UnknownOperation`, which suggests names that are close."""
    if name not in _rows():
        raise UnknownOperation(name, close=get_close_matches(name[:64], _rows(), n=3))
    return _operation_of_row(name)


def require_operations(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names. Raises `UnknownOperation` for one that is no operation, and `TypeError` for a single text."""
    if isinstance(names, str):
        raise TypeError(f"Names of operations must be in a list, not in the text {names!r}.")
    return tuple(operation_named(name).name for name in names)


def create_operation(object_name: str) -> Operation:
    """Return the create of an object: of `checkout.session` and of `checkout_session`. Raises `UnknownOperation`."""
    return operation_named(f"create_{object_name.replace('.', '_')}")


def operation_at(method: str, path: str) -> tuple[Operation, Ids] | None:
    """Return the operation of a request path, and the ids in it, percent-decoded once.

    A word of a template wins over an id. The ids are as the path has them, and `check_path_ids` judges them.
    """
    words = path.split("/")
    for name, templates in _by_shape().get(_shape(method, words), ()):
        ids = _match(templates, words)
        if ids is not None:
            return _operation_of_row(name), ids
    return None


def check_path_ids(operation: Operation, ids: Mapping[str, str]) -> None:
    """Raise `InvalidField` for an id that is missing, unknown, or no id. Its `param` is `path[<name>]`.

    An id must not change the path. Therefore it has no slash, and it is no word that Stripe's paths have in its place.
    """
    names = operation.path_names
    for name in ids:
        if name not in names:
            raise InvalidField(
                f"path[{name[:64]}]", _unknown_id(operation, name), code="parameter_unknown"
            )
    for name in names:
        if name not in ids:
            message = f"Missing required param: path[{name}], because {operation.name} calls {operation.path}."
            raise InvalidField(f"path[{name}]", message, code="parameter_missing")
        fault = _fault_of_id(ids[name])
        if fault:
            raise InvalidField(f"path[{name}]", f"Invalid path[{name}]: {fault}.")
    _require_own_path(operation, ids)


def _unknown_id(operation: Operation, name: str) -> str:
    names = operation.path_names
    takes = f"only {', '.join(names)}" if names else "no ids"
    return f"Received unknown path parameter {name[:64]!r}: {operation.name} takes {takes}."


def _fault_of_id(value: object) -> str:
    """Return the fault of an id, or an empty text if it is valid."""
    if not isinstance(value, str):
        return "must be a text"
    if not value:
        return "must not be empty"
    if len(value) > LONGEST_ID:
        return f"must have at most {LONGEST_ID} characters"
    if value in (".", ".."):
        return "must be an id, not a step in a path"
    if "/" in value or "\\" in value:
        return "must not have a slash"
    if any(not character.isprintable() for character in value):
        return "must not have control characters or other characters that cannot be printed"
    return ""


def _require_own_path(operation: Operation, ids: Mapping[str, str]) -> None:
    """Raise `InvalidField` if the ids make the path of another operation, such as the id `create_preview`."""
    found = operation_at(operation.method, _endpoint(operation, ids)) if ids else None
    if found is not None and found[0] is not operation:
        words = dict(zip(operation.path.split("/"), found[0].path.split("/"), strict=True))
        name = next(name for name in ids if not words[f"{{{name}}}"].startswith("{"))
        message = f"Invalid path[{name}]: {ids[name]!r} is a word of {found[0].path}, which is another operation."
        raise InvalidField(f"path[{name}]", message)


def _endpoint(operation: Operation, ids: Mapping[str, str]) -> str:
    """Return the path. A space is `%20`, because a plus in a path is a plus. Stripe's library writes a plus there."""
    return operation.path.format_map({name: quote(value, safe="") for name, value in ids.items()})


def _match(templates: list[str], words: list[str]) -> Ids | None:
    """Return the ids of a path that fits the words of a template, or `None`."""
    ids: Ids = {}
    for template, word in zip(templates, words, strict=True):
        if template.startswith("{"):
            value = _decoded(word)
            if not value:
                return None
            ids[template[1:-1]] = value
        elif template != word:
            return None
    return ids


def _decoded(word: str) -> str | None:
    try:
        return unquote(word, errors="strict")
    except UnicodeDecodeError:
        return None


@cache
def _rows() -> dict[str, str]:
    return read_rows(TABLE)


@cache
def _operation_of_row(name: str) -> Operation:
    return _operation(name, json.loads(_rows()[name]))


def _operation(name: str, row: dict[str, Any]) -> Operation:
    return Operation(
        name,
        row["object"],
        row["method"],
        row["path"],
        creates=row.get("creates", False),
        marked=row.get("marked", False),
        sources=tuple(row["sources"]),
        listing=listing_of(row["object"], row["list"]) if "list" in row else None,
    )


@cache
def _by_shape() -> dict[Shape, list[tuple[str, list[str]]]]:
    """Return the operations of each shape with the words of their templates, those with words before those with ids."""
    shapes: dict[Shape, list[tuple[str, list[str]]]] = {}
    for name, method, templates in sorted(_routes(), key=_words_first):
        shapes.setdefault(_shape(method, templates), []).append((name, templates))
    return shapes


def _routes() -> list[Route]:
    found = ((name, _ROUTE.search(row)) for name, row in _rows().items())
    return [(name, match[1], match[2].split("/")) for name, match in found if match]


def _shape(method: str, words: list[str]) -> Shape:
    """Return the parts of a call in which a template and its path agree: no template has an id right after `/v1/`."""
    return method, len(words), words[2] if len(words) > 2 else ""


def _words_first(route: Route) -> list[bool]:
    return [word.startswith("{") for word in route[2]]
