"""Recognize the one parameter by which an operation can remove the mark of a create: an empty `metadata`.

Stripe takes `metadata=""` and unsets all pairs of the object (docs.stripe.com/api/metadata). The mark of a create is
one of them. If the answer of that create was lost, only the mark proves the create. Therefore the caller records such
an operation before it is sent, and a later look no longer takes the absence of a mark for the absence of the object.
Pairs that are unset by their names leave the mark alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.stripe.operations import Operation


def unsets_metadata(operation: Operation, params: Mapping[str, Any]) -> bool:
    """Return whether a `metadata` is an empty text, at any depth. A create has no pairs to unset.

    `params` must not be nested more deeply than `json_values.MOST_LEVELS`.
    """
    return not operation.creates and _holds_empty_metadata(params)


def _holds_empty_metadata(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("metadata") == "" or any(map(_holds_empty_metadata, value.values()))
    return isinstance(value, list | tuple) and any(map(_holds_empty_metadata, value))
