"""The flows on a dead stream: which of them an operator chose, and which of them may run again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.identity.request_ids import OutcomeKind
from paydispatch.domain.identity.slots import bare_name
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.domain.outcomes import outcome_kind

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry

RERUN_WITHIN_S = REMEMBER_S - 86_400.0
"""The greatest age of an outcome whose flow may run again.

A run that was killed may have sent its requests already. They are recognised as the same ones for 25 days after that,
and a rerun may need a day until it succeeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadFlow:
    """One entry of a dead stream: an outcome that no flow could handle."""

    worker_id: str
    """The slot of the worker (`domain/identity/slots.py`)."""
    entry: OutcomeEntry | None
    """None: it cannot be read."""
    reason: str
    dead_since: float
    """Unix seconds."""
    dead_id: str = ""
    """Its id on the dead stream."""
    entry_id: str = ""
    """The id that it had on the worker's stream. Empty: a release that did not note it gave the entry up."""
    settled_since: bool = False
    """The entry says that the outcome of its request is unknown, but the request has been settled since."""
    response_reran: bool = False
    """The entry says that a response script has failed, but an operator has run that script again since."""

    @property
    def script(self) -> str | None:
        """The script that failed or was missing. None: the entry cannot be read."""
        if self.entry is None:
            return None
        for_any = self.reason.startswith(f"{self.entry.any_flow_name}:")
        return self.entry.any_flow_name if for_any else self.entry.flow_name


TOO_OLD = (
    "its outcome is older than 24 days, so that a request of its flow could be made twice. "
    "Do its work by hand"
)
SETTLED_SINCE = "the request has been settled since, and its flow was told so"


class Moved(StrEnum):
    """The end of a move from a dead stream back to its stream."""

    MOVED = "moved"
    GONE = "gone"
    """The entry is no longer on the dead stream, and was not moved back."""
    SETTLED = "settled"
    """The entry says that its outcome is unknown, but the request has been settled since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadFlowChoice:
    """An operator's choice of dead flows. A field that is None does not restrict it."""

    id: str | None = None
    """The id of the request, or the one on the dead stream."""
    worker_id: str | None = None
    context_id: str | None = None
    script: str | None = None
    since_s: float | None = None
    """Those that died in the last so many seconds."""

    def takes_worker(self, worker_slot: str) -> bool:
        return self.worker_id in (None, bare_name(worker_slot))

    def takes(self, dead: DeadFlow, now_s: float) -> bool:
        entry = dead.entry
        return (
            self.takes_worker(dead.worker_id)
            and self.id in (None, dead.dead_id, entry.request_id if entry else None)
            and self.context_id in (None, entry.context_id if entry else None)
            and self.script in (None, dead.script)
            and (self.since_s is None or dead.dead_since >= now_s - self.since_s)
        )


def why_it_stays(dead: DeadFlow, now_s: float) -> str | None:
    """Return why a dead flow must not run again, or None if it may."""
    if dead.entry is None:
        return "it cannot be read: another program wrote it, or a newer release"
    if dead.settled_since:
        return SETTLED_SINCE
    if now_s >= dead.entry.settled_at + RERUN_WITHIN_S:
        return TOO_OLD
    return None


def follows_failed_response(dead: DeadFlow) -> bool:
    """Return whether the entry tells the error script that the response script of the request has failed."""
    return dead.entry is not None and outcome_kind(dead.entry.outcome) is OutcomeKind.FLOW_FAILED


def says_unknown(dead: DeadFlow) -> bool:
    """Return whether the entry says that the outcome of its request is unknown."""
    return dead.entry is not None and outcome_kind(dead.entry.outcome) is OutcomeKind.UNKNOWN
