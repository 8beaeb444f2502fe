"""Compute the fingerprint of a request: one id stands for one thing asked, and this is the thing."""

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
    """Return `f1:` and the SHA-256 of everything that makes two requests the same.

    The parameters count as the form pairs that Stripe gets, because Stripe compares those: `2000` and `"2000"` are the
    same. The Stripe key, the lane and the deadline do not count, because a key is rotated and a wait may change.
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
    # ASCII-escaped JSON frames every part and holds half a surrogate pair, which UTF-8 does not.
    return VERSION + hashlib.sha256(json.dumps(asked).encode("ascii")).hexdigest()


def _form(params: Mapping[str, Any]) -> list[Any]:
    try:
        return sorted(pairs(params))
    except ValueError:  # `1e999`, for instance: no form holds it, and the check refuses it later
        return [json.dumps(params, sort_keys=True)]
