"""The writes of Stripe's API that are no operations, each with the reason. Generated with the table of operations."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LEFT_OUT = Path(__file__).with_name("left_out.json")

VERSION_2 = "API v2 follows other rules for bodies and repeats."


def reason_left_out(method: str, path: str) -> str:
    """Return why the call at this path is no operation, or an empty text if Stripe has no such write."""
    if path.startswith("/v2/"):
        return VERSION_2
    words = path.split("/")
    return next(
        (
            reason
            for reason, calls in _left_out().items()
            if any(_fits(call, method, words) for call in calls)
        ),
        "",
    )


def _fits(call: str, method: str, words: list[str]) -> bool:
    verb, _, template = call.partition(" ")
    parts = template.split("/")
    same = zip(parts, words, strict=False)
    return (
        verb == method
        and len(parts) == len(words)
        and all(part == word or (part.startswith("{") and word) for part, word in same)
    )


@cache
def _left_out() -> dict[str, list[str]]:
    """Return the calls by their reason."""
    calls: dict[str, list[str]] = json.loads(LEFT_OUT.read_bytes())
    return calls
