"""The verdicts of looks, and the report of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.operators.lookups import StaysUnknown
    from paydispatch.domain.unknown_outcomes import UnknownOutcome


class Verdict(StrEnum):
    """The result of the lookup of one request."""

    CREATED = "created"
    NOT_CREATED = "not_created"
    EXECUTED = "executed"
    """Stripe executed an operation that is no create, or another program led its object to the same state."""
    NOT_EXECUTED = "not_executed"
    SETTLED_BEFORE = "settled_before"
    """Another reconciler settled it, or Stripe's answer to a redriven message did."""
    UNKNOWN = "unknown"
    FORGOTTEN = "forgotten"
    """It has been unknown for longer than `REMEMBER_S`, and is not looked up again."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The verdict on one request, with the reason if it stays unknown."""

    worker_id: str
    """The name of the worker's slot. For a worker of another tenant it begins with the tenant and a space."""
    request_id: str
    verdict: Verdict
    object: str | None = None
    operation: str | None = None
    why: str | None = None
    """The reason why it stays unknown."""
    until: float | None = None
    """Unix seconds from which a lookup can prove that it had no effect. None: such a time is not known."""


@dataclass(slots=True)
class ReconcileReport:
    """The verdicts of one run."""

    reconciled: list[Reconciled] = field(default_factory=list)
    left: int = 0
    """Requests that the run had no time for."""

    @property
    def counts(self) -> Mapping[str, int]:
        """The number of requests for each verdict, 0 included."""
        counted = Counter(one.verdict for one in self.reconciled)
        return {verdict.value: counted[verdict] for verdict in Verdict}


def make_reconciled(
    unknown: UnknownOutcome, verdict: Verdict, decided: StaysUnknown | None = None
) -> Reconciled:
    return Reconciled(
        unknown.worker,
        unknown.entry.request_id,
        verdict,
        unknown.entry.object,
        unknown.entry.operation,
        decided.why if decided else None,
        decided.until if decided else None,
    )
