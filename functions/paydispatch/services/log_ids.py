"""The ids on every log line about a request, and its trace."""

from __future__ import annotations

from typing import Protocol

from paydispatch.domain.trace_context import trace_id_of


class HasIds(Protocol):
    """A claim, an envelope or an entry."""

    @property
    def request_id(self) -> str: ...

    @property
    def object(self) -> str: ...

    @property
    def operation(self) -> str: ...

    @property
    def worker_id(self) -> str: ...

    @property
    def context_id(self) -> str: ...

    @property
    def principal(self) -> str | None: ...


def log_ids(request: HasIds) -> dict[str, object]:
    """Return the ids as fields of a log line."""
    return {
        "request_id": request.request_id,
        "object": request.object,
        "operation": request.operation,
        "worker_id": request.worker_id,
        "context_id": request.context_id,
        "principal": request.principal,
    }


def log_trace(traceparent: str | None) -> dict[str, str]:
    """Return the fields of a log line by which a tracing system finds the request. Without a trace there are none."""
    trace_id = trace_id_of(traceparent)
    return {} if trace_id is None else {"trace_id": trace_id, "traceparent": str(traceparent)}
