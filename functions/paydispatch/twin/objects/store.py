"""The objects of each account, in the order they were made, as the JSON they are answered with.

Text takes a third of the memory of nested dicts, and 100,000 objects are no rare thing here.
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

Thing = dict[str, Any]

NO_LATEST = 2**63
"""Later than any `created`."""


@dataclass(slots=True)
class Shelf:
    """All objects of one kind in one account, oldest first: `created` never falls."""

    texts: list[bytes] = field(default_factory=list)
    created: list[int] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a shelf: created from `earliest` to `latest`, and below or above one object."""

    earliest: int = 0
    latest: int = NO_LATEST
    starting_after: str | None = None
    ending_before: str | None = None


class Store:
    def __init__(self) -> None:
        self._shelves: defaultdict[tuple[Account, str], Shelf] = defaultdict(Shelf)
        self._kinds: dict[tuple[Account, str], str] = {}

    def put(self, account: Account, thing: Thing) -> bytes:
        """Return the object's text. Raises `StripeError` (400) if a chosen id is taken."""
        shelf = self._shelves[account, thing["object"]]
        if thing["id"] in shelf.positions:
            raise existing_object(thing["object"])
        text = json.dumps(thing).encode()
        shelf.positions[thing["id"]] = len(shelf.texts)
        shelf.texts.append(text)
        shelf.created.append(thing.get("created", 0))
        self._kinds[account, thing["id"]] = thing["object"]
        return text

    def has(self, account: Account, kind: str, object_id: str) -> bool:
        return object_id in self._shelves[account, kind].positions

    def find(self, account: Account, kind: str, object_id: str) -> Thing | None:
        shelf = self._shelves[account, kind]
        position = shelf.positions.get(object_id)
        return None if position is None else _thing(shelf.texts[position])

    def finder(self, account: Account) -> Callable[[str], Thing | None]:
        """Return a function that finds an object of any kind by its id."""

        def find(object_id: str) -> Thing | None:
            kind = self._kinds.get((account, object_id))
            return None if kind is None else self.find(account, kind, object_id)

        return find

    def listed(self, account: Account, kind: str, span: Span) -> Iterator[Thing]:
        """Iterate from the newest down, or with `ending_before` from there up.

        Raises `StripeError` (400) for an object that is not there.
        """
        shelf = self._shelves[account, kind]
        first = bisect_left(shelf.created, span.earliest)
        end = bisect_right(shelf.created, span.latest)
        if span.starting_after is not None:
            end = min(end, _position(shelf, kind, span.starting_after, "starting_after"))
        positions = range(end - 1, first - 1, -1)
        if span.ending_before is not None:
            above = _position(shelf, kind, span.ending_before, "ending_before") + 1
            positions = range(max(first, above), end)
        return (_thing(shelf.texts[position]) for position in positions)


def _thing(text: bytes) -> Thing:
    thing: Thing = json.loads(text)
    return thing


def _position(shelf: Shelf, kind: str, object_id: str, param: str) -> int:
    position = shelf.positions.get(object_id)
    if position is None:
        raise missing_object(kind, object_id, param=param, status=400)
    return position
