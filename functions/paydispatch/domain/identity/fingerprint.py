"""Compute the fingerprint of a request. Two requests under one id are the same request if their fingerprints agree."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from paydispatch.domain.form_encoding import pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = "f1:"
"""Stands in front of every fingerprint. Two fingerprints are compared only under the same version."""


def fingerprint(
    *,
    space: str,
    worker_id: str,
    context_id: str,
    operation: str,
    path: Mapping[str, str],
    params: Mapping[str, Any],
    stripe_account: str | None,
    stripe_context: str | None,
) -> str:
    """Return `f1:` and the SHA-256 of every field in which two equal requests agree.

    The parameters count as the form pairs that Stripe receives, because Stripe compares those: `2000` and `"2000"` are
    the same. The Stripe key, the lane and the deadline do not count: a caller may rotate its key or change its wait.
    """
    asked = [
        space,
        worker_id,
        context_id,
        operation,
        sorted(path.items()),
        _form(params),
        stripe_account,
        stripe_context,
    ]
    # JSON separates the parts. Escaped to ASCII it can hold half a surrogate pair, which UTF-8 cannot.
    return VERSION + hashlib.sha256(json.dumps(asked).encode("ascii")).hexdigest()


def _form(params: Mapping[str, Any]) -> list[Any]:
    try:
        return sorted(pairs(params))
    except (
        ValueError
    ):  # for instance `1e999`: a form cannot hold it, and the check refuses it later
        return [json.dumps(params, sort_keys=True)]
