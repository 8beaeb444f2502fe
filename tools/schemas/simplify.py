"""Converts the document's request schema to ours: JSON Schema 2020-12 with rules that Stripe's schema leaves implicit.

It adds three rules that Stripe documents only in prose:

- An object with named properties has no others, because Stripe answers "Received unknown parameter".
- `metadata` has at most 50 pairs, with keys of 1 to 40 characters without brackets, and values of up to 500 characters
  (https://docs.stripe.com/api/metadata).
- A `currency` has three letters. Stripe takes capitals and answers in lower case, and a `decimal` is written in digits
  (https://docs.stripe.com/currencies, and the descriptions of the fields).

It ignores `x-stripeBypassValidation`, because that marks values of previews, which need another `Stripe-Version` than
our calls have.
"""

from typing import Any

from document import Schema

KEPT = ("type", "format", "maxLength", "required", "deprecated")
KEPT_OF_ENUM = ("enum", "deprecated")
"""The keywords that an enumeration keeps. Its values imply type and length."""

PATTERNS = {
    "currency": "^[A-Za-z]{3}$",
    "decimal": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)$",
}
METADATA: Schema = {
    "type": "object",
    "maxProperties": 50,
    "propertyNames": {"pattern": r"^[^\[\]]{1,40}$"},
    "additionalProperties": {"type": "string", "maxLength": 500},
}
UNSET: Schema = {"const": ""}


def simplify(node: Schema, name: str = "") -> Schema:
    """Return our schema of `node`, which is the part of the document at the field `name`."""
    if node.get("enum") == [""]:
        return UNSET
    if "anyOf" in node:
        return _any_of(node, name)
    if name == "metadata" and "additionalProperties" in node:
        return METADATA
    kept = KEPT_OF_ENUM if "enum" in node else KEPT
    return {
        **{key: node[key] for key in kept if key in node},
        **_children(node),
        **_pattern(node),
    }


def _children(node: Schema) -> Schema:
    children: Schema = {}
    if node.get("type") == "object":
        children["additionalProperties"] = _additional(node)
    if "properties" in node:
        children["properties"] = {
            name: simplify(sub, name) for name, sub in node["properties"].items()
        }
    if "items" in node:
        children["items"] = simplify(node["items"])
    return children


def _additional(node: Schema) -> Schema | bool:
    allowed: Any = node.get("additionalProperties", "properties" not in node)
    return simplify(allowed) if isinstance(allowed, dict) else bool(allowed)


def _pattern(node: Schema) -> Schema:
    pattern = PATTERNS.get(node.get("format", ""))
    return {"pattern": pattern} if pattern else {}


def _any_of(node: Schema, name: str) -> Schema:
    """Return the schema of alternatives. A plain string that may be empty needs none."""
    branches = [simplify(branch, name) for branch in node["anyOf"]]
    rest = [branch for branch in branches if branch != UNSET]
    if len(rest) == 1 and rest[0].get("type") == "string" and "pattern" not in rest[0]:
        return rest[0]
    return {"anyOf": branches, **({"deprecated": True} if node.get("deprecated") else {})}
