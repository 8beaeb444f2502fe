"""The fields that Stripe shows only if `expand` names them."""

from __future__ import annotations

from functools import cache

from paydispatch.twin.objects.shapes import known_schema
from paydispatch.twin.objects.traits import traits_of


@cache
def fields_on_request(kind: str) -> frozenset[str]:
    """Return these fields of an object: the lists that need not be there, and those of its traits."""
    schema = known_schema(kind) or {"properties": {}, "required": []}
    lists = {name for name, field in schema["properties"].items() if "list" in field}
    return frozenset({*lists.difference(schema["required"]), *traits_of(kind).on_request})
