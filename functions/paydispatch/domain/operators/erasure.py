"""The erasure of a conversation: its scope, and its counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A context of a tenant. Contexts of two tenants may have the same id."""

    context_id: str
    tenant: str
    worker_id: str | None = None
    """None: in all workers of the tenant."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Entries of one kind: those that were erased, and those that are still needed."""

    erased: int = 0
    left: int = 0

    def __add__(self, other: Erased) -> Erased:
        return Erased(self.erased + other.erased, self.left + other.left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The counts of an erasure, or of its dry run."""

    requests: Erased = Erased()
    """Requests without their result, error and kept message now. Those without a settled outcome are left."""

    outcomes: Erased = Erased()
    """Entries of outcome streams. Those with an unfinished flow are left."""

    dead_flows: Erased = Erased()
    """Entries of dead streams."""

    dead_letters: Erased = Erased()
    """Parked messages. Those of requests without a settled outcome are left."""

    @property
    def complete(self) -> bool:
        """True if nothing of the conversation is left."""
        kinds = (self.requests, self.outcomes, self.dead_flows, self.dead_letters)
        return not any(kind.left for kind in kinds)
