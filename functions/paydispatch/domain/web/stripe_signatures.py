"""Check the signature of an event that Stripe sends to a webhook. Pure.

The scheme is Stripe's (docs.stripe.com/webhooks/signature): the header `Stripe-Signature` holds a time `t` and one or
more signatures `v1`. A signature is the HMAC-SHA256 of `t`, a full stop and the body. The secret belongs to one event
destination. While its owner rotates it, there are two.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.text.json_text import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

TOLERANCE_S = 300
"""An older event is refused, because a stranger may have recorded it. Stripe signs each retry anew."""

MOST_SIGNATURES = 20
"""Signatures of one header that are compared. Stripe sends one for each secret that is valid now."""

_TIME = re.compile(r"[0-9]{1,12}")
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class SigningSecret:
    """The secret of one event destination. Its `repr` does not show it."""

    text: str = field(repr=False)


class SignatureFault(StrEnum):
    """The reason why an event is refused."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    """The header has no time or no signature of the scheme `v1`."""
    STALE = "stale"
    FORGED = "forged"
    """No signature was made with one of the secrets, for this time and this body."""


@dataclass(frozen=True, slots=True)
class Signed:
    """The parts of a header."""

    at: int
    """Unix seconds."""
    signatures: tuple[str, ...]


def read_signature(header: str | None, now_s: float) -> Signed | SignatureFault:
    """Read a header, and refuse it if it is too old. No secret is needed for that."""
    if not header:
        return SignatureFault.MISSING
    parts = header.split(",")
    times = [part[len("t=") :] for part in parts if part.startswith("t=")]
    signatures = tuple(part[len("v1=") :] for part in parts if part.startswith("v1="))
    signatures = signatures[:MOST_SIGNATURES]
    if not times or not _TIME.fullmatch(times[0]) or not signatures:
        return SignatureFault.UNREADABLE
    at = int(times[0])
    return SignatureFault.STALE if at < now_s - TOLERANCE_S else Signed(at, signatures)


def is_signed(body: bytes, signed: Signed, secrets: Sequence[SigningSecret]) -> bool:
    """Return whether one of the signatures was made with one of the secrets, for this body."""
    payload = b"%d.%s" % (signed.at, body)
    expected = [
        hmac.new(secret.text.encode(), payload, hashlib.sha256).hexdigest().encode()
        for secret in secrets
    ]
    given = [signature.encode("utf-8", "surrogatepass") for signature in signed.signatures]
    # In constant time, so that the time of the answer shows nothing of the right signature.
    return any(hmac.compare_digest(ours, theirs) for ours in expected for theirs in given)


def read_signing_secrets(text: str) -> tuple[SigningSecret, ...]:
    """Read one or two secrets: a JSON list, or one on each line. Raises `ValueError`, without the text."""
    try:
        found = read_json(text)
    except ValueError:
        found = text.splitlines()
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError("it is not a list of texts")
    secrets = tuple(SigningSecret(one.strip()) for one in found if one.strip())
    if not secrets or not all(secret.text.startswith(_PREFIX) for secret in secrets):
        raise ValueError(f"each secret must begin with {_PREFIX}")
    return secrets
