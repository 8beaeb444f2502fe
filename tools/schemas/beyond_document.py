"""Adds what Stripe takes although neither its document nor its libraries say so, and what it refuses without saying so.

The lists here are kept by hand. A new entry needs a source: a thread with an answer of Stripe's staff, a page of its
documentation, or an answer of its API.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from document import Schema


@dataclass(frozen=True)
class Undocumented:
    """One value or parameter that Stripe leaves out on purpose."""

    operations: frozenset[str]
    path: tuple[str, ...]
    """The names of the fields, from the outermost on."""
    schema: Schema
    """For a field that the schema has: the values to add, as an `enum`."""


WITH_PAYMENT_METHOD_DATA = frozenset(
    f"{verb}_{intent}"
    for verb in ("create", "update", "confirm")
    for intent in ("payment_intent", "setup_intent")
)

UNDOCUMENTED = (
    # A token of Stripe.js becomes a payment method this way. The document and the libraries leave the card out, so that
    # nobody sends its number. (https://github.com/stripe/stripe-node/issues/1310, an answer of Stripe's staff)
    Undocumented(WITH_PAYMENT_METHOD_DATA, ("payment_method_data", "type"), {"enum": ["card"]}),
    Undocumented(
        WITH_PAYMENT_METHOD_DATA,
        ("payment_method_data", "card"),
        {
            "type": "object",
            "required": ["token"],
            "additionalProperties": False,
            "properties": {"token": {"type": "string"}},
        },
    ),
)

IDS = frozenset(
    {
        "account",
        "charge",
        "confirmation_token",
        "coupon",
        "customer",
        "customer_account",
        "default_payment_method",
        "default_source",
        "destination",
        "discount",
        "file",
        "financial_connections_account",
        "invoice",
        "mandate",
        "meter",
        "on_behalf_of",
        "payment_intent",
        "payment_method",
        "payment_method_configuration",
        "price",
        "product",
        "promotion_code",
        "shipping_rate",
        "source",
        "subscription",
        "tax_code",
        "template",
        "test_clock",
        # lists of ids
        "account_tax_ids",
        "default_tax_rates",
        "dynamic_tax_rates",
        "products",
        "tax_rates",
    }
)
"""The fields that hold the id of an object. An empty id is `parameter_invalid_empty`, unless the document says that an
empty text unsets the field. (https://docs.stripe.com/error-codes#parameter-invalid-empty)"""


def add_undocumented(operation: str, schema: Schema) -> None:
    """Add to `schema`, in place, the entries of `UNDOCUMENTED` for its operation."""
    for entry in UNDOCUMENTED:
        if operation in entry.operations:
            *outer, name = entry.path
            _add(_object_at(schema, outer), name, entry.schema)


def _add(node: Schema, name: str, added: Schema) -> None:
    fields = node["properties"]
    if name in fields and "enum" in added:
        today = next(part for part in _branches(fields[name]) if "enum" in part)
        today["enum"] = sorted({*today["enum"], *added["enum"]})
    else:
        fields.setdefault(name, added)


def _object_at(schema: Schema, path: list[str]) -> Schema:
    node = schema
    for name in path:
        (node,) = [part for part in _branches(node["properties"][name]) if "properties" in part]
    return node


def forbid_empty(schema: Schema, request: Mapping[str, Any]) -> Schema:
    """Return `schema` with `minLength` at each required text, and at each id that `request` does not let be unset."""
    return _object(schema, [request])


def _object(node: Schema, documented: list[Mapping[str, Any]]) -> Schema:
    required = node.get("required", ())
    changed = dict(node)
    if "properties" in node:
        changed["properties"] = {
            name: _value(
                part, _below(documented, "properties", name), name, required=name in required
            )
            for name, part in node["properties"].items()
        }
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            changed[keyword] = _value(node[keyword], _below(documented, keyword), "")
    return changed


def _value(
    node: Schema, documented: list[Mapping[str, Any]], name: str, *, required: bool = False
) -> Schema:
    branches = [part for each in documented for part in _branches(each)]
    unset = any(part.get("enum") == [""] for part in branches)
    filled = not unset and (required or (name in IDS and bool(documented)))
    if "anyOf" in node:
        return {**node, "anyOf": [_branch(part, branches, name, filled) for part in node["anyOf"]]}
    return _branch(node, branches, name, filled)


def _branch(node: Schema, documented: list[Mapping[str, Any]], name: str, filled: bool) -> Schema:
    if node.get("type") == "array" and name in IDS and isinstance(node.get("items"), dict):
        return {**node, "items": _branch(node["items"], [], "", filled=True)}
    if node.get("type") == "string" and filled and not {"enum", "pattern"} & node.keys():
        return {**node, "minLength": 1}
    return _object(node, documented)


def _below(
    documented: list[Mapping[str, Any]], keyword: str, name: str = ""
) -> list[Mapping[str, Any]]:
    """Return what the document says one level deeper: about a field, or about the entries of a list or a map."""
    found: list[object] = [
        part[keyword] for each in documented for part in _branches(each) if keyword in part
    ]
    if name:
        found = [fields[name] for fields in found if isinstance(fields, dict) and name in fields]
    return [part for part in found if isinstance(part, dict)]


def _branches(node: Mapping[str, Any]) -> Iterator[Schema]:
    yield from node.get("anyOf", [node])
