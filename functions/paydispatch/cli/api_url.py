"""The HTTP API's address and the bearer token for it, alike for every command that speaks to it."""

from __future__ import annotations

import argparse
import os
from urllib.parse import urlsplit


def api_url(text: str) -> str:
    """For `argparse`: the address without a slash at its end. Raises `ArgumentTypeError`."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r} is no address like https://api.example.com")
    return text.rstrip("/")


def bearer_token() -> str | None:
    return os.environ.get("PAYDISPATCH_TOKEN") or None
