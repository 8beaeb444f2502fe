"""The address of the HTTP API or of Stripe, and the bearer token for it, alike for every command that speaks to it."""

from __future__ import annotations

import argparse
import os
from urllib.parse import urlsplit

from paydispatch.domain.protected_urls import is_protected


def api_url(text: str) -> str:
    """For `argparse`: the address without a slash at its end. Raises `ArgumentTypeError`."""
    try:
        usable = urlsplit(text).port != 0 and is_protected(text)
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address like https://api.example.com (http:// is for this machine alone)"
        )
    return text.rstrip("/")


def bearer_token() -> str | None:
    return os.environ.get("PAYDISPATCH_TOKEN") or None
