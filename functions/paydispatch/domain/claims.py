"""The request's slot in Redis, as the services see it: the claim that owns an id, the slot's state, and its sends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.identity.fingerprint import fingerprint
from paydispatch.domain.identity.principal import tenant_of
from paydispatch.domain.identity.request_ids import request_id_for_repeat, request_id_for_reuse
from paydispatch.domain.identity.slots import beside, key_space, slot_name
from paydispatch.domain.limits import FORGOTTEN_S
from paydispatch.domain.stripe.repeats import Repeat

if TYPE_CHECKING:
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.message.read_message import Address
    from paydispatch.domain.outcomes import Error
    from paydispatch.domain.stripe.accounts import AccountBinding

FINAL_STATUSES = frozenset({"succeeded", "failed"})
"""The settled outcome of a request with one of these statuses has been published: the status is written afterwards.

`unknown` is not final, because a settled outcome may follow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The claim of one request on one id. The first claim on an id is written into the request's slot."""

    slot: str
    """The name of the request's slot."""
    worker_slot: str
    request_id: str
    fingerprint: str
    tenant: str
    principal: str
    worker_id: str
    context_id: str
    operation: str
    object: str
    accepted_at: float
    """Unix seconds."""
    maybe_executed: bool = False
    """The certainty latch, as the message carries it."""
    first_sent_at: float | None = None
    """Unix seconds of the first send, as the message carries it."""
    seal: str | None = None
    """The SHA-256 of the sealed key in the message. Only a program that has seen the message knows it."""
    older_than_memory: bool = False
    """The message is older than `FORGOTTEN_S`. If its slot is empty, the slot may have expired after a send, and the
    request is not sent again."""
    repeat_of: str | None = None
    """The slot of the first request under the idempotency key, if this request is a repeat of it."""

    def under(self, request_id: str, fingerprint_: str | None = None) -> Claim:
        """Return the same claim under an id that is derived from this claim's id."""
        return replace(
            self,
            slot=beside(self.slot, request_id),
            request_id=request_id,
            fingerprint=fingerprint_ or self.fingerprint,
            maybe_executed=False,
            first_sent_at=None,
            older_than_memory=False,
            repeat_of=None,
        )

    def as_second_request(self) -> Claim:
        """Return the claim of a second request that came under a used id."""
        return self.under(request_id_for_reuse(self.request_id, self.fingerprint))

    def as_repeat(self, number: int) -> Claim:
        """Return the claim of the nth repeat of this request, which is the first one under its idempotency key."""
        repeat = self.under(request_id_for_repeat(self.request_id, number))
        return replace(repeat, repeat_of=self.slot)


def claim_of(envelope: Envelope, queue_tenant: str, now_s: float) -> Claim:
    """Return the claim of a message. The fingerprint is computed, because the one in a message is not trusted."""
    tenant = tenant_of(envelope.principal, queue_tenant)
    return Claim(
        slot=slot_name(tenant, envelope.request_id, queue_tenant),
        worker_slot=slot_name(tenant, envelope.worker_id, queue_tenant),
        request_id=envelope.request_id,
        fingerprint=fingerprint_of(envelope, queue_tenant),
        tenant=tenant,
        principal=envelope.principal,
        worker_id=envelope.worker_id,
        context_id=envelope.context_id,
        operation=envelope.operation,
        object=envelope.object,
        accepted_at=envelope.accepted_at,
        maybe_executed=envelope.progress.maybe_executed,
        first_sent_at=envelope.progress.first_sent_at,
        seal=_hash_of(envelope.sealed_secret),
        older_than_memory=now_s - envelope.accepted_at >= FORGOTTEN_S,
    )


def fingerprint_of(envelope: Envelope, queue_tenant: str) -> str:
    """Return the fingerprint of the request in a message."""
    return fingerprint(
        space=key_space(tenant_of(envelope.principal, queue_tenant), queue_tenant),
        worker_id=envelope.worker_id,
        context_id=envelope.context_id,
        operation=envelope.operation,
        path=envelope.path,
        params=envelope.sent_params,
        stripe_account=envelope.stripe_account,
        stripe_context=envelope.stripe_context,
    )


def claim_of_unread(address: Address, queue_tenant: str, accepted_at: float) -> Claim:
    """Return the claim of a message that could not be read. Its id and fingerprint are derived from its bytes."""
    tenant = tenant_of(address.principal, queue_tenant)
    return Claim(
        slot=slot_name(tenant, address.request_id, queue_tenant),
        worker_slot=slot_name(tenant, address.worker_id, queue_tenant),
        request_id=address.request_id,
        fingerprint=f"unread:{address.request_id}",
        tenant=tenant,
        principal=address.principal,
        worker_id=address.worker_id,
        context_id=address.context_id,
        operation=address.operation,
        object=address.object,
        accepted_at=accepted_at,
        seal=_hash_of(address.sealed_secret),
    )


def _hash_of(sealed_secret: str | None) -> str | None:
    return None if sealed_secret is None else hashlib.sha256(sealed_secret.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotState:
    """The state of a request's slot after a claim on it."""

    owned: bool
    """The slot holds this claim's fingerprint. False: the id belongs to another request, and nothing was written."""
    existed: bool = True
    """The slot held a claim before this one. False: it was empty."""
    queued: bool = False
    """The queue is known to have received the request."""
    principal: str | None = None
    seal: str | None = None
    """The seal of the message that made the first claim."""
    status: str | None = None
    closed: Error | None = None
    """The error with which the request ended unexecuted. None: it is not closed."""
    answered: bool = False
    """Its settled outcome is an answer that Stripe keeps under the idempotency key."""
    maybe_executed: bool = False
    first_sent_at: float | None = None
    """Unix seconds by Redis' clock. None proves that nothing was POSTed, because a send is recorded before its POST."""
    last_sent_at: float | None = None
    open_sends: int = 0
    """The number of sends that began and have no recorded end."""
    account: AccountBinding | None = None
    repeats: int = 0
    """How often the request was repeated under its idempotency key, if it is the first one under it."""
    repeat_of: str | None = None
    """The slot of the first request under the idempotency key, if this request is a repeat of it."""

    @property
    def final(self) -> bool:
        return self.status in FINAL_STATUSES

    @property
    def may_be_repeated(self) -> bool:
        """Return whether the key may make another request.

        It may if the request had no effect, and Stripe keeps no answer under the id. That stays true, because a final
        status is never overwritten.
        """
        return self.owned and self.status == "failed" and not self.answered

    def proves(self, claim: Claim) -> bool:
        """Return whether the claim in the slot proves the principal of a message that makes the same claim.

        It does, because a claim is written only for a proven principal. The seals must be equal, because a stranger
        could guess everything else: the id, the request and the principal.
        """
        same = self.principal == claim.principal and self.seal == claim.seal
        return self.owned and claim.seal is not None and same

    @property
    def in_doubt(self) -> bool:
        return self.maybe_executed or self.open_sends > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A send, which the caller records in the slot just before its POST."""

    token: str
    """The name of this send. Recorded again under the same token, it is the same send."""
    account: AccountBinding
    attempt: int
    rule: Repeat = Repeat.KEYED


@dataclass(frozen=True, slots=True)
class Go:
    """The permission to make the POST now."""

    sent_at: float
    """Unix seconds by Redis' clock."""
    first_sent_at: float


class NoSend(StrEnum):
    """The reason why the POST must not be made."""

    CLOSED = "closed"
    """The request ended unexecuted."""
    PUBLISHED = "published"
    """Its settled outcome has been published."""
    OTHER_ACCOUNT = "other_account"
    """An earlier send that may still have an effect went to another account."""
    PAST_HORIZON = "past_horizon"
    """Stripe may have pruned the idempotency key (`limits.HORIZON_S`)."""
    NOT_OWNED = "not_owned"
    """The slot holds no claim, or the claim of another request."""
    IN_DOUBT = "in_doubt"
    """Another send may have had an effect, and a repeat could act on another object (`Repeat.UNTIL_DOUBT`)."""
    TOLD = "told"
    """Its unknown outcome has been published, and a repeat could act on another object (`Repeat.UNTIL_TOLD`)."""


class SendEnd(StrEnum):
    """The end of a send."""

    REFUSED = "refused"
    """Stripe executed nothing for it."""
    NOT_CONNECTED = "not_connected"
    """No connection was made. If no other send began, the request counts as never sent."""
    UNKNOWN = "unknown"
    """Stripe may have executed it. The send stays open, and the latch is set."""


class Disputed(StrEnum):
    """The reason why a request cannot be closed."""

    MAYBE_EXECUTED = "maybe_executed"
    """Another send is open or ended unknown."""
    PUBLISHED = "published"
    """Its settled outcome has been published."""
