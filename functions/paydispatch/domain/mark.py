"""The metadata pair by which an object of ours can be found again in Stripe's lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.domain.marks import MARK as MARK

if TYPE_CHECKING:
    from collections.abc import Mapping

METADATA_LIMIT = 50
"""Pairs Stripe takes."""


def with_mark(params: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    """Return the parameters as Stripe receives them: the caller's, and our mark where the metadata has room for it."""
    metadata = params.get("metadata") or {}
    if not isinstance(metadata, dict) or len(metadata) >= METADATA_LIMIT:
        return dict(params)
    return {**params, "metadata": {**metadata, MARK: request_id}}
