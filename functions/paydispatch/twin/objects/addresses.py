"""Reads the addresses at which Stripe answers objects, and the kinds of objects that each operation answers.

The tools `twin_objects.py` and `twin_answers.py` write the two files. `/v1/charges` has charges, and
`/v1/customers/{customer}/sources` has several kinds.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from paydispatch.domain.stripe.operations import all_operations
from paydispatch.domain.stripe.resources import RESOURCES

if TYPE_CHECKING:
    from paydispatch.domain.stripe.operations import Operation


@cache
def addresses() -> dict[str, list[str]]:
    """Return the kinds of objects at each address, by the address. Those that the table of objects has are left out."""
    found: dict[str, list[str]] = _read("addresses.json")
    return found


@cache
def addressed_kinds() -> frozenset[str]:
    """Return every kind of object that has an address."""
    return frozenset(kind for kinds in addresses().values() for kind in kinds)


def answered_kinds(operation: Operation) -> tuple[str, ...]:
    """Return the kinds of objects that an operation may answer. A deleted object counts as its kind."""
    return tuple(_answers()[operation.name])


def kinds_at(address: str) -> tuple[str, ...]:
    """Return the kinds of objects below an address, whatever the names of the ids in it are."""
    return _kinds_by_shape().get(_shape(address), ())


@cache
def address_of(kind: str) -> str:
    """Return the address of a kind of objects, such as `/v1/charges`. It is empty for objects without one."""
    ours = {row.name: row.endpoint for row in RESOURCES}
    found = (address for address, kinds in addresses().items() if kind in kinds)
    return ours.get(kind) or next(found, "")


@cache
def _kinds_by_shape() -> dict[str, tuple[str, ...]]:
    changed = {
        row.path.rpartition("/")[0]: answered_kinds(row)
        for row in all_operations()
        if row.path.endswith("}")
    }
    ours = {row.endpoint: (row.name,) for row in RESOURCES}
    read = {address: tuple(kinds) for address, kinds in addresses().items()}
    return {_shape(address): kinds for address, kinds in {**changed, **read, **ours}.items()}


def _shape(address: str) -> str:
    return re.sub(r"\{\w+\}", "{}", address)


@cache
def _answers() -> dict[str, list[str]]:
    answers: dict[str, list[str]] = _read("answers.json")
    return answers


def _read(name: str) -> Any:
    return json.loads((files(__package__) / name).read_text("utf-8"))
