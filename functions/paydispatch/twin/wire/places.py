"""Finds the objects and lists that a path names beyond the objects that the twin creates.

/v1/charges/ch_1                        an object at an address of its own
/v1/customers/cus_1/sources             a list that belongs to another object
/v1/checkout/sessions/cs_1/line_items   a list inside an object
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.twin.objects.addresses import addresses
from paydispatch.twin.objects.expandable import fields_of, kinds_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.twin.objects.collection import Collection


@dataclass(frozen=True, slots=True)
class Place:
    """The objects below one address, or one of them."""

    address: str
    """Without ids: `/v1/customers/{customer}/sources`."""

    kinds: tuple[str, ...]
    """The kinds of objects there."""

    object_id: str | None = None
    owners: Mapping[str, str] = field(default_factory=dict)
    """The ids in the path, by the field of the object that has to have this value: `{"customer": "cus_1"}`."""

    inside: tuple[str, str, str] | None = None
    """The kind, the id and the field of the object with the list."""

    @property
    def name(self) -> str:
        """The name of the objects in fault rules."""
        return self.kinds[0]


def find_place(path: str, by_endpoint: Mapping[str, Collection]) -> Place | None:
    """Return the place that a path names, or None. `by_endpoint` has the objects that the twin creates."""
    steps = path.split("/")
    for address, kinds in addresses().items():
        owners = _match(address.split("/"), steps)
        if owners is not None:
            is_list = len(steps) == address.count("/") + 1
            return Place(address, tuple(kinds), None if is_list else steps[-1], owners)
    return _list_inside(path, by_endpoint)


def _match(address: list[str], steps: list[str]) -> dict[str, str] | None:
    """Return the ids in a path to the address or to an object below it, or None for another path."""
    if len(steps) - len(address) not in (0, 1):
        return None
    owners: dict[str, str] = {}
    for wanted, step in zip(address, steps, strict=False):
        if wanted.startswith("{"):
            owners[wanted[1:-1]] = step
        elif wanted != step:
            return None
    return owners


def _list_inside(path: str, by_endpoint: Mapping[str, Collection]) -> Place | None:
    owner, _, name = path.rpartition("/")
    endpoint, _, owner_id = owner.rpartition("/")
    collection = by_endpoint.get(endpoint)
    held = fields_of(collection.name).get(name) if collection else None
    if collection is None or not isinstance(held, dict) or held.keys() != {"data"}:
        return None
    address = f"{endpoint}/{{id}}/{name}"
    return Place(
        address, tuple(kinds_in(held["data"])), None, {}, (collection.name, owner_id, name)
    )
