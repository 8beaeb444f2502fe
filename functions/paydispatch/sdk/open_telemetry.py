"""Read the current trace context of OpenTelemetry, if the program uses OpenTelemetry."""

from __future__ import annotations

import sys


def current_traceparent() -> str | None:
    """Return the `traceparent` of the current span. None: there is no valid one.

    Imports nothing, because a program that has not imported OpenTelemetry has no span.
    """
    trace = sys.modules.get("opentelemetry.trace")
    get_current_span = getattr(trace, "get_current_span", None)
    if get_current_span is None:
        return None
    span = get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags & 255:02x}"
