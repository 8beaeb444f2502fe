"""The newest requests of a worker, as a list shows them. Pure data, read by `Recent`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRequest:
    """One request. It holds neither parameters nor a key."""

    request_id: str
    tenant: str | None
    """None: the queue's tenant."""
    worker_id: str
    context_id: str
    operation: str
    status: str
    """That of the request's slot, or that of its outcome: `succeeded`, `failed` or `unknown`."""
    at: float
    """Unix seconds of the outcome, or of the acceptance while there is none."""
    accepted_at: float | None = None
    attempts: int = 0
    account: str | None = None
    stripe_id: str | None = None
    why: str | None = None
    """The error, or what the request waits for."""
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """What one reading found."""

    open: tuple[RecentRequest, ...]
    outcomes: tuple[RecentRequest, ...]
    """Those that came after the reading before."""
    places: dict[str, str]
    """For each worker, the id of the newest entry that was read. The next reading goes on after it."""
