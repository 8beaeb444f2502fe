"""Stripe's signature of a webhook: `Stripe-Signature: t=TIME,v1=HMAC-SHA256(secret, "TIME.BODY")`."""

from __future__ import annotations

import hashlib
import hmac

HEADER = "Stripe-Signature"


def sign(body: bytes, secret: str, now_s: float) -> str:
    """Return the value of the header. The time is part of the signature, so that an old one can be refused."""
    time = int(now_s)
    signed = b"%d.%s" % (time, body)
    return f"t={time},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
