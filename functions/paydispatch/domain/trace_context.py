"""The W3C trace context of a request: the header `traceparent`, which travels with it and stands on its log lines."""

from __future__ import annotations

import re

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_LENGTH = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
_TRACE_ID = slice(3, 35)


def read_traceparent(text: object) -> str | None:
    """Return the value of a `traceparent` header in its version 00. None: it is invalid, and counts as absent.

    A later version may have more fields after the four of today. They are left out, as the specification asks.
    """
    if not isinstance(text, str) or not _TRACEPARENT.match(text):
        return None
    if text[_LENGTH:].startswith("-") and not text.startswith("00"):
        text = text[:_LENGTH]
    return f"00{text[2:]}" if len(text) == _LENGTH else None


def trace_id_of(traceparent: str | None) -> str | None:
    """Return the id of the trace, by which a tracing system finds it. None: there is no valid trace context."""
    valid = read_traceparent(traceparent)
    return valid and valid[_TRACE_ID]
