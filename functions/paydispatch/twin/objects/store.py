"""Stores the objects of each account in order of creation, as the JSON text of their answers.

Text takes a third of the memory of nested dicts, and a test may create 100,000 objects.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paydispatch.twin.wire.errors import existing_object, missing_object

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paydispatch.twin.accounts import Account

StripeObject = dict[str, Any]

NO_LATEST = 2**63
"""A time later than every `created`."""

INDEXED = {"payment_intent": "latest_charge", "refund": "charge"}
"""The field of a kind by which `find_by` finds its objects."""


@dataclass(slots=True)
class Table:
    """All objects of one kind in one account, oldest first, so that `created` is sorted."""

    texts: list[bytes | None] = field(default_factory=list)
    """None stands for a deleted object."""

    created: list[int] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """The change of one object: its text before, and its text now. None: there was none, or there is none any more."""

    kind: str
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a table: the objects created from `earliest` to `latest`, and older or newer than one object."""

    earliest: int = 0
    latest: int = NO_LATEST
    starting_after: str | None = None
    ending_before: str | None = None


class Store:
    """The objects of all accounts."""

    def __init__(self) -> None:
        self._tables: defaultdict[tuple[Account, str], Table] = defaultdict(Table)
        self._kinds: dict[tuple[Account, str], str] = {}
        self._deleted: set[tuple[Account, str, str]] = set()
        self._index: defaultdict[tuple[Account, str, str], list[str]] = defaultdict(list)
        self._before: dict[tuple[Account, str, str], bytes | None] = {}

    def take_changes(self) -> list[Stored]:
        """Return every object that was stored, changed or deleted since the last call, by its first change."""
        changes = []
        for (account, kind, object_id), before in self._before.items():
            table = self._tables[account, kind]
            position = table.positions.get(object_id)
            after = None if position is None else table.texts[position]
            changes.append(Stored(kind, before, after))
        self._before.clear()
        return changes

    def put(self, account: Account, stripe_object: StripeObject, *, is_new: bool = True) -> bytes:
        """Store an object and return its text. Raises `StripeError` (400) if an object has that id already.

        An object that is not new counts as always there, so that it is no change.
        """
        table = self._tables[account, stripe_object["object"]]
        if stripe_object["id"] in table.positions:
            raise existing_object(stripe_object["object"])
        text = json.dumps(stripe_object).encode()
        before = None if is_new else text
        self._before.setdefault((account, stripe_object["object"], stripe_object["id"]), before)
        table.positions[stripe_object["id"]] = len(table.texts)
        table.texts.append(text)
        table.created.append(stripe_object.get("created", 0))
        self._kinds[account, stripe_object["id"]] = stripe_object["object"]
        self._add_to_index(account, stripe_object)
        return text

    def replace(self, account: Account, stripe_object: StripeObject) -> bytes:
        """Store a changed object in the place of the object with its id. Return its text."""
        kind, object_id = stripe_object["object"], stripe_object["id"]
        table = self._tables[account, kind]
        position = table.positions[object_id]
        self._before.setdefault((account, kind, object_id), table.texts[position])
        self._drop_from_index(account, kind, object_id)
        text = table.texts[position] = json.dumps(stripe_object).encode()
        self._add_to_index(account, stripe_object)
        return text

    def remove(self, account: Account, stripe_object: StripeObject) -> None:
        """Delete an object. Its id can be taken again."""
        kind, object_id = stripe_object["object"], stripe_object["id"]
        table = self._tables[account, kind]
        self._drop_from_index(account, kind, object_id)
        position = table.positions.pop(object_id)
        self._before.setdefault((account, kind, object_id), table.texts[position])
        table.texts[position] = None
        self._kinds.pop((account, object_id), None)
        self._deleted.add((account, kind, object_id))

    def was_deleted(self, account: Account, kind: str, object_id: str) -> bool:
        return (account, kind, object_id) in self._deleted and not self.has(
            account, kind, object_id
        )

    def _drop_from_index(self, account: Account, kind: str, object_id: str) -> None:
        stored = self.find(account, kind, object_id) or {}
        value = stored.get(INDEXED.get(kind, ""))
        if isinstance(value, str):
            self._index[account, kind, value].remove(object_id)

    def _add_to_index(self, account: Account, stripe_object: StripeObject) -> None:
        kind = stripe_object["object"]
        value = stripe_object.get(INDEXED.get(kind, ""))
        if isinstance(value, str):
            self._index[account, kind, value].append(stripe_object["id"])

    def has(self, account: Account, kind: str, object_id: str) -> bool:
        return object_id in self._tables[account, kind].positions

    def find(self, account: Account, kind: str, object_id: str) -> StripeObject | None:
        table = self._tables[account, kind]
        position = table.positions.get(object_id)
        return None if position is None else _stripe_object(table, position)

    def finder(self, account: Account) -> Callable[[str], StripeObject | None]:
        """Return a function that finds an object of any kind by its id."""

        def find(object_id: str) -> StripeObject | None:
            kind = self._kinds.get((account, object_id))
            return None if kind is None else self.find(account, kind, object_id)

        return find

    def find_by(self, account: Account, kind: str, value: str) -> Iterator[StripeObject]:
        """Yield the objects of a kind whose field in `INDEXED` has the value, oldest first."""
        table = self._tables[account, kind]
        for object_id in self._index.get((account, kind, value), ()):
            yield _stripe_object(table, table.positions[object_id])

    def iterate(self, account: Account, kind: str, span: Span) -> Iterator[StripeObject]:
        """Iterate from the newest object to older ones, or with `ending_before` from that object to newer ones.

        Raises `StripeError` (400) if the object of `starting_after` or `ending_before` does not exist.
        """
        table = self._tables[account, kind]
        first = bisect_left(table.created, span.earliest)
        end = bisect_right(table.created, span.latest)
        if span.starting_after is not None:
            end = min(end, _position(table, kind, span.starting_after, "starting_after"))
        positions = range(end - 1, first - 1, -1)
        if span.ending_before is not None:
            above = _position(table, kind, span.ending_before, "ending_before") + 1
            positions = range(max(first, above), end)
        kept = (position for position in positions if table.texts[position] is not None)
        return (_stripe_object(table, position) for position in kept)


@dataclass(frozen=True, slots=True)
class AccountObjects:
    """The objects of one account."""

    store: Store
    account: Account

    def find(self, kind: str, object_id: str) -> StripeObject | None:
        return self.store.find(self.account, kind, object_id)

    def of_kind(self, kind: str) -> list[StripeObject]:
        """Return every object of a kind, the newest first."""
        return list(self.store.iterate(self.account, kind, Span()))

    def find_by(self, kind: str, value: str) -> Iterator[StripeObject]:
        return self.store.find_by(self.account, kind, value)


def _stripe_object(table: Table, position: int) -> StripeObject:
    stripe_object: StripeObject = json.loads(table.texts[position] or b"{}")
    return stripe_object


def _position(table: Table, kind: str, object_id: str, param: str) -> int:
    position = table.positions.get(object_id)
    if position is None:
        raise missing_object(kind, object_id, param=param, status=400)
    return position
