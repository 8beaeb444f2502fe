"""Make requests of the rows of a table: each column, and each constant, is the text of one field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.domain.parameters.path import Path, bracket_path, read_path
from paydispatch.domain.requests import BODY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Place = tuple[Path, str]
"""A field of a request, and the column or the constant with its text."""

_HOLDERS = ("params", "unchecked_params", "path")
"""The fields of a request with members of their own."""

_CREDENTIALS = ("stripe_secret", "secret_ref")


def field_path(text: str) -> Path:
    """Return the place of a field in a request: `amount` is `("params", "amount")`, and `context_id` is itself.

    A parameter of Stripe with the name of a field of the request is written `params[lane]`. Raises `ValueError`.
    """
    path = read_path(text)
    name = path[0]
    if name not in BODY_FIELDS:
        return ("params", *path)
    if (name in _HOLDERS) == (len(path) == 1):
        raise ValueError(
            f"{text!r} is not a field: write {name}[…]"
            if name in _HOLDERS
            else f"{text!r} has no parts"
        )
    return path


class Columns:
    """The fields of a request by the columns of a table."""

    def __init__(self, columns: Sequence[Place], constants: Sequence[Place]) -> None:
        """Raises `ValueError` if two of the fields are one place, or one is a part of another."""
        fields = [path for path, _ in (*columns, *constants)]
        _check_apart(fields)
        lists = _lists_in(fields)
        self._columns = {_name_members(path, lists): name for path, name in columns}
        self._constants = {_name_members(path, lists): text for path, text in constants}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that are read."""
        return tuple(self._columns.values())

    def read(self, row: Mapping[str, str]) -> dict[str, Any]:
        """Return the fields of the request in a row. An empty cell leaves its field out."""
        item: dict[str, Any] = {}
        for path, text in self._constants.items():
            _put(item, path, text)
        for path, name in self._columns.items():
            if row[name]:
                _put(item, path, row[name])
        _read_number(item, "deadline_s")
        return {name: _make_lists(value) for name, value in item.items()}


def text_of_fields(fields: Mapping[str, Any]) -> str:
    """Return the text that identifies a row: its fields without the key, which may be replaced by another."""
    named = {name: value for name, value in fields.items() if name not in _CREDENTIALS}
    return json.dumps(named, sort_keys=True)


def _check_apart(fields: Sequence[Path]) -> None:
    for number, path in enumerate(fields):
        for other in fields[number + 1 :]:
            shared = min(len(path), len(other))
            if path[:shared] == other[:shared]:
                raise ValueError(f"{_shown(path)} and {_shown(other)} are the same field")


def _lists_in(fields: Iterable[Path]) -> set[Path]:
    """Return the places of lists: the parts below them are the numbers from 0. Others are names, such as a year."""
    parts: dict[Path, set[str | int]] = {}
    for path in fields:
        for depth in range(1, len(path)):
            parts.setdefault(path[:depth], set()).add(path[depth])
    return {place for place, below in parts.items() if below == set(range(len(below)))}


def _name_members(path: Path, lists: set[Path]) -> Path:
    """Return the path with a name in the place of each number that is not the index of a list."""
    return tuple(part if path[:depth] in lists else str(part) for depth, part in enumerate(path))


def _put(item: dict[Any, Any], path: Path, text: str) -> None:
    for part in path[:-1]:
        item = item.setdefault(part, {})
    item[path[-1]] = text


def _make_lists(value: Any) -> Any:
    """Return the value with a list for each mapping of numbers. An element without a cell is left out."""
    if not isinstance(value, dict):
        return value
    members = {name: _make_lists(member) for name, member in value.items()}
    if members and all(isinstance(name, int) for name in members):
        return [members[index] for index in sorted(members)]
    return members


def _read_number(item: dict[str, Any], name: str) -> None:
    """Read the one field of a request that is a number. The check refuses a text that is none."""
    try:
        item[name] = float(item[name])
    except (KeyError, ValueError):
        return


def _shown(path: Path) -> str:
    return bracket_path(path[1:] if path[0] == "params" and len(path) > 1 else path)
