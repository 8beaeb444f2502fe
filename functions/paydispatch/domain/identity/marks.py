"""The metadata pair by which an object can be found again in Stripe's lists.

Only paydispatch writes it. A caller's own pair of that name is refused at every way in, so that a lookup never mistakes
the object of another request for its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "paydispatch_request_id"
"""The name of the pair. Its value is the request's id."""

METADATA_LIMIT = 50
"""Stripe's limit for the pairs of one object."""


def with_mark(params: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    """Return the parameters as Stripe receives them: with the mark, if the caller's metadata has room for it."""
    metadata = params.get("metadata") or {}
    if not isinstance(metadata, dict) or len(metadata) >= METADATA_LIMIT:
        return dict(params)
    return {**params, "metadata": {**metadata, MARK: request_id}}
