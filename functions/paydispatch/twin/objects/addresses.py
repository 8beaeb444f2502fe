"""Reads `addresses.json`: the addresses at which Stripe answers objects that the twin does not create by itself.

`tools/twin_objects.py` writes it. `/v1/charges` has charges, and `/v1/customers/{customer}/sources` several kinds.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files


@cache
def addresses() -> dict[str, list[str]]:
    """Return the kinds of objects at each address, by the address."""
    text = (files(__package__) / "addresses.json").read_text("utf-8")
    found: dict[str, list[str]] = json.loads(text)
    return found


@cache
def addressed_kinds() -> frozenset[str]:
    """Return every kind of object that has an address."""
    return frozenset(kind for kinds in addresses().values() for kind in kinds)
