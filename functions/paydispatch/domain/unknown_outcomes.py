"""A request with an unknown outcome: the record of its sends, and the time from which an absence is proof. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.claims import Claim
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.identity.principal import QUEUE
from paydispatch.domain.identity.slots import beside
from paydispatch.domain.limits import FORGOTTEN_S, HORIZON_S, REMEMBER_S
from paydispatch.domain.progress import Progress

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.stripe.accounts import AccountBinding

LAST_CALL_S = 900
"""The longest run of a Lambda function (AWS: 15 minutes). Stripe may execute a POST until this long after its send
began, and no later."""


@dataclass(frozen=True, slots=True)
class UnknownOutcome:
    """A request with a published unknown outcome: the entry of that outcome, and the records of the request's slot."""

    entry: OutcomeEntry
    worker_slot: str = ""
    """The name of the worker's slot that the outcome was published in. Empty: the worker's id."""
    slot_stands: bool = False
    """The request's slot still exists. If it does not, only the entry records the sends."""
    slot_first_sent_at: float | None = None
    """Unix seconds. The slot refuses every send later than `HORIZON_S` after it. None: the slot refuses no send."""
    slot_last_sent_at: float | None = None
    """Unix seconds. After a redrive it is later than the entry's."""
    slot_account: AccountBinding | None = None
    """The account of the sends, or one that an operator declared to be the same account."""

    @property
    def worker(self) -> str:
        return self.worker_slot or self.entry.worker_id

    @property
    def account(self) -> AccountBinding | None:
        """The account and mode in which a lookup proves something. None: it is not recorded, so every lookup counts."""
        return self.slot_account or self.entry.account

    @property
    def firsts(self) -> tuple[float, ...]:
        """The times of the first send by the slot and by the entry. They can differ."""
        return _known(self.slot_first_sent_at, self.entry.first_sent_at)

    @property
    def last_sent_at(self) -> float | None:
        """Unix seconds at which the last send began. None: it is not recorded."""
        return max(_known(self.slot_last_sent_at, self.entry.last_sent_at), default=None)

    @property
    def forgotten(self) -> bool:
        """Whether Redis may have forgotten the sends: the message outlived `FORGOTTEN_S` without a recorded account."""
        accepted_at = self.entry.accepted_at or self.entry.settled_at
        return self.account is None and self.entry.settled_at - accepted_at >= FORGOTTEN_S

    @property
    def provable_at(self) -> float | None:
        """Unix seconds from which an absence proves that the object was not created. None: it never does."""
        # A slot without a first send refuses no send, so that the request may be redriven at any time.
        unsent = self.slot_stands and self.slot_first_sent_at is None
        if unsent or self.forgotten or not self.firsts:
            return None
        # The later one of both, because the guard that refuses sends may know only that one.
        last_began = max(max(self.firsts) + HORIZON_S, self.last_sent_at or 0.0)
        return last_began + LAST_CALL_S


def _known(*times: float | None) -> tuple[float, ...]:
    return tuple(at for at in times if at is not None)


def claim_of_unknown(unknown: UnknownOutcome) -> Claim:
    """Return the claim that the request's slot holds."""
    entry = unknown.entry
    return Claim(
        slot=beside(unknown.worker, entry.request_id),
        worker_slot=unknown.worker,
        request_id=entry.request_id,
        fingerprint=entry.fingerprint or "",
        tenant=entry.tenant or "",
        principal=entry.principal or QUEUE,
        worker_id=entry.worker_id,
        context_id=entry.context_id,
        operation=entry.operation,
        object=entry.object,
        accepted_at=entry.accepted_at or entry.settled_at,
    )


def beyond_memory(entry: OutcomeEntry, now_s: float) -> bool:
    """Return whether it has been unknown for longer than a request is remembered. No lookup follows then."""
    return now_s - entry.settled_at >= REMEMBER_S


def envelope_of(entry: OutcomeEntry) -> Envelope:
    """Return an envelope with the key and the parameters of an entry. It serves to open the key, and is never sent."""
    return Envelope(
        request_id=entry.request_id,
        object=entry.object,
        operation=entry.operation,
        path=entry.path,
        params=entry.params,
        worker_id=entry.worker_id,
        context_id=entry.context_id,
        accepted_at=entry.accepted_at or entry.settled_at,
        progress=Progress(deadline_at=entry.settled_at, first_sent_at=entry.first_sent_at),
        sealed_secret=entry.sealed_secret,
        secret_ref=entry.secret_ref,
        lane=entry.lane,
        stripe_account=entry.stripe_account,
        stripe_context=entry.stripe_context,
        principal=entry.principal or QUEUE,
        traceparent=entry.traceparent,
    )
