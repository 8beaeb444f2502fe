"""A doubt: a request that may have had an effect, and whose settled outcome is not published. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.claims import FINAL_STATUSES, claim_of
from paydispatch.domain.entry import entry_for
from paydispatch.domain.message.read_message import Malformed, read_message
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.unknown_outcomes import UnknownOutcome

if TYPE_CHECKING:
    from paydispatch.domain.stripe.accounts import AccountBinding


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedDoubt:
    """The part of a request's slot that an event is checked against."""

    request_id: str
    worker_slot: str
    fingerprint: str
    operation: str
    status: str | None = None
    message: str | None = None
    """The queue message, once a send of it ended unknown. None: no send did, or the message was not noted."""
    account: AccountBinding | None = None
    first_sent_at: float | None = None
    """Unix seconds."""
    last_sent_at: float | None = None

    @property
    def final(self) -> bool:
        return self.status in FINAL_STATUSES


def unknown_of_doubt(doubt: NotedDoubt, queue_tenant: str, now_s: float) -> UnknownOutcome | None:
    """Return the request as one with an unknown outcome. None: its message was not noted, or is another request's."""
    if doubt.message is None:
        return None
    envelope = read_message(doubt.message, message_id=doubt.request_id, sent_at=now_s)
    if isinstance(envelope, Malformed):
        return None
    claim = claim_of(envelope, queue_tenant, now_s)
    if claim.request_id != doubt.request_id or claim.fingerprint != doubt.fingerprint:
        return None
    progress = replace(
        envelope.progress,
        first_sent_at=doubt.first_sent_at,
        last_sent_at=doubt.last_sent_at,
        account=doubt.account,
    )
    entry = entry_for(envelope.at(progress), claim, _no_answer(progress.attempt), now_s)
    return UnknownOutcome(
        entry,
        doubt.worker_slot,
        slot_stands=True,
        slot_first_sent_at=doubt.first_sent_at,
        slot_last_sent_at=doubt.last_sent_at,
        slot_account=doubt.account,
    )


def _no_answer(attempts: int) -> Error:
    """Return the outcome in whose place the settled one is published."""
    return Error(
        kind=ErrorKind.HTTP,
        message="Stripe's answer was lost.",
        attempts=attempts,
        certainty=Certainty.UNKNOWN,
    )
