"""The request's slot, as the services see it: the claim that owns an id, and how the slot stands."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from paydispatch.domain.fingerprint import fingerprint
from paydispatch.domain.identity import request_id_for_reuse
from paydispatch.domain.limits import FORGOTTEN_S
from paydispatch.domain.principal import tenant_of
from paydispatch.domain.slots import beside, key_space, slot_name

if TYPE_CHECKING:
    from paydispatch.domain.accounts import AccountBinding
    from paydispatch.domain.envelope import Address, Envelope
    from paydispatch.domain.outcomes import Error

FINAL_STATUSES = frozenset({"succeeded", "failed"})
"""A request in one of these has been told. `unknown` is not final: a settled end may follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing asked under one id. The first claim writes it into the request's slot."""

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
    """The message carries the latch."""
    first_sent_at: float | None = None
    """Unix seconds: the first send, as the message knows it."""
    seal: str | None = None
    """The SHA-256 of the sealed key that the message carries. Only a program that was shown the message knows it."""
    older_than_memory: bool = False
    """The message is so old that an empty slot may be one that expired: its request is then not sent again."""

    def under(self, request_id: str, fingerprint_: str | None = None) -> Claim:
        """Return the same claim under an id that is derived from this one."""
        return replace(
            self,
            slot=beside(self.slot, request_id),
            request_id=request_id,
            fingerprint=fingerprint_ or self.fingerprint,
            maybe_executed=False,
            first_sent_at=None,
            older_than_memory=False,
        )

    def as_second_request(self) -> Claim:
        """Return the claim of the second request that came under a used id."""
        return self.under(request_id_for_reuse(self.request_id, self.fingerprint))


def claim_of(envelope: Envelope, queue_tenant: str, now_s: float) -> Claim:
    """Return the claim that a message makes. Its fingerprint is computed: a carried one is not believed."""
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
    """Return the fingerprint of what a message asks for."""
    return fingerprint(
        space=key_space(tenant_of(envelope.principal, queue_tenant), queue_tenant),
        worker_id=envelope.worker_id,
        context_id=envelope.context_id,
        operation=envelope.operation,
        path=envelope.path,
        params=envelope.params,
        stripe_account=envelope.stripe_account,
        stripe_context=envelope.stripe_context,
    )


def claim_of_unread(address: Address, queue_tenant: str, accepted_at: float) -> Claim:
    """Return the claim of a message that could not be read: its id and fingerprint come from its bytes."""
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
    """How a request's slot stands once a claim was made on it."""

    owned: bool
    """The slot holds this claim's fingerprint. False: the id stands for another request, and nothing was written."""
    existed: bool = True
    """Another claim was here before. False: the slot was empty."""
    queued: bool = False
    """The queue is known to have had the request."""
    principal: str | None = None
    seal: str | None = None
    """Of the message that made the claim."""
    status: str | None = None
    closed: Error | None = None
    """The request ends so, without having been executed."""
    answered: bool = False
    """Its final end is an answer that Stripe keeps under the idempotency key."""
    maybe_executed: bool = False
    first_sent_at: float | None = None
    """Unix seconds by Redis' clock. None proves that nothing was sent."""
    last_sent_at: float | None = None
    open_sends: int = 0
    """Sends that began and whose end is not known."""
    account: AccountBinding | None = None

    @property
    def final(self) -> bool:
        return self.status in FINAL_STATUSES

    def proves(self, claim: Claim) -> bool:
        """Whether the claim that stands here proves the principal of a message that claims the same.

        Only a proven principal claims. The seal must be the same, because a stranger may guess all the rest: the id,
        what is asked, and the principal.
        """
        same = self.principal == claim.principal and self.seal == claim.seal
        return self.owned and claim.seal is not None and same

    @property
    def in_doubt(self) -> bool:
        return self.maybe_executed or self.open_sends > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """What is asked of the slot just before a POST."""

    token: str
    """Names this send. Asked again under the same token, it is the same send."""
    account: AccountBinding
    attempt: int


@dataclass(frozen=True, slots=True)
class Go:
    """The POST may leave now."""

    sent_at: float
    """Unix seconds by Redis' clock."""
    first_sent_at: float


class NoSend(StrEnum):
    """Why the POST must not leave."""

    CLOSED = "closed"
    """The request ended unexecuted."""
    TOLD = "told"
    """Its settled outcome has been published."""
    OTHER_ACCOUNT = "other_account"
    """An earlier send that may still have an effect went to another account."""
    PAST_HORIZON = "past_horizon"
    """Stripe may have forgotten the idempotency key."""
    NOT_OWNED = "not_owned"
    """The slot holds no claim, or another one."""


class SendEnd(StrEnum):
    """How a send ended."""

    REFUSED = "refused"
    """Stripe did nothing for it."""
    NOT_CONNECTED = "not_connected"
    """No connection was made. If no other send began, the request counts as never sent."""
    UNKNOWN = "unknown"
    """Anything may have happened: the send stays open, and the latch is set."""


class Disputed(StrEnum):
    """Why a request cannot be closed."""

    MAYBE_EXECUTED = "maybe_executed"
    """Another send is open or ended unknown."""
    TOLD = "told"
    """Its end has been told."""
