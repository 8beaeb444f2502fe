"""The requests of a run: the thing asked for, the principal, and the message."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

from tests.model.virtual_time import START_S

from paydispatch.domain.claims import fingerprint_of
from paydispatch.domain.credentials import Binding, SecretRef, StripeKey
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.identity.principal import QUEUE, tenant_of
from paydispatch.domain.identity.request_ids import (
    request_id_for_key,
    request_id_for_repeat,
    request_id_for_reuse,
)
from paydispatch.domain.message.read_message import Malformed, read_message
from paydispatch.domain.progress import Progress

if TYPE_CHECKING:
    from paydispatch.testing.memory_sealing import MemorySealer

QUEUE_TENANT = "local"
ACME, MALLORY = "acme/alice", "mallory"
"""Authenticated principals of two tenants."""

SHOP = "shop"
"""The name of a secret. Each tenant has its own secret of this name."""


@dataclass(frozen=True)
class Ask:
    """One request under one id. Another `amount` or `worker_id` under the same id is another request."""

    request_id: str = "pdr_1"
    idempotency_key: str | None = None
    """The API and the SDK derive the id from it (`with_idempotency_key`)."""
    amount: int = 2000
    worker_id: str = "worker-1"
    confirm: bool = False
    principal: str = QUEUE
    key: str = ""
    """The Stripe key that the message seals. Empty: the message names the secret `SHOP`."""
    forged: bool = False
    """Whether the message names a principal that did not send it."""
    unreadable: bool = False
    """Whether the message breaks the envelope's schema."""
    deadline_s: float = 6 * 3600.0
    attempt: int = 1
    first_sent_s: float | None = None
    """The time of the first send according to the message, in seconds from the start."""
    maybe_executed: bool = False

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint_of(self.envelope(None), QUEUE_TENANT)

    @property
    def tenant(self) -> str:
        return tenant_of(self.principal, QUEUE_TENANT)

    @property
    def worker_slot(self) -> str:
        """The name of the worker's slot. The rule is repeated here because it is under test."""
        bare = self.tenant == "local"
        return self.worker_id if bare else f"{self.tenant} {self.worker_id}"

    @property
    def derived_id(self) -> str:
        return request_id_for_reuse(self.request_id, self.fingerprint)

    @property
    def first_id(self) -> str:
        """The id of the first request under the idempotency key."""
        space = "" if self.tenant == QUEUE_TENANT else self.tenant
        return request_id_for_key(space, self.idempotency_key or "")

    def as_repeat(self) -> Ask:
        """Return the first repeat of this request, which is the first one under its key."""
        return replace(self, request_id=request_id_for_repeat(self.request_id, 1))

    def envelope(self, sealer: MemorySealer | None) -> Envelope:
        bare = Envelope(
            request_id=self.request_id,
            object="payment_intent",
            params={"amount": self.amount, "currency": "usd", **self._confirm},
            worker_id=self.worker_id,
            context_id="context-1",
            accepted_at=START_S,
            progress=self._progress,
            principal=self.principal,
        )
        return bare if sealer is None else self._with_key(bare, sealer)

    def message(self, sealer: MemorySealer) -> str:
        text = self.envelope(sealer).as_message()
        return json.dumps({**json.loads(text), "lane": 7}) if self.unreadable else text

    @property
    def _confirm(self) -> dict[str, object]:
        return {"confirm": True, "payment_method": "pm_1"} if self.confirm else {}

    @property
    def _progress(self) -> Progress:
        sent = None if self.first_sent_s is None else START_S + self.first_sent_s
        return Progress(
            deadline_at=START_S + self.deadline_s,
            attempt=self.attempt,
            first_sent_at=sent,
            maybe_executed=self.maybe_executed,
        )

    def _with_key(self, bare: Envelope, sealer: MemorySealer) -> Envelope:
        if self.principal == QUEUE and not self.key:
            return replace(bare, secret_ref=SHOP)
        credential = StripeKey(self.key) if self.key else SecretRef(SHOP)
        binding = Binding("forger", "", "") if self.forged else bare.binding
        return replace(bare, sealed_secret=sealer.seal(credential, binding))


def with_idempotency_key(ask: Ask, key: str) -> Ask:
    """Return the ask with this idempotency key and the id that every way in derives from it."""
    keyed = replace(ask, idempotency_key=key)
    return replace(keyed, request_id=keyed.first_id)


@dataclass(frozen=True)
class AskIdentity:
    """The identity of the request in a message. The invariants compare messages by it."""

    tenant: str
    request_id: str
    fingerprint: str


@cache
def identify(body: str) -> AskIdentity | None:
    """Return the identity of the request in a message, or None if the message cannot be attributed."""
    read = read_message(body, message_id="m", sent_at=START_S)
    if isinstance(read, Envelope):
        tenant = tenant_of(read.principal, QUEUE_TENANT)
        return AskIdentity(tenant, read.request_id, fingerprint_of(read, QUEUE_TENANT))
    return _identify_unreadable(read)


def _identify_unreadable(read: Malformed) -> AskIdentity | None:
    if read.address is None:
        return None
    tenant = tenant_of(read.address.principal, QUEUE_TENANT)
    return AskIdentity(tenant, read.address.request_id, f"unread:{read.address.request_id}")
