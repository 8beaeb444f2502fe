"""Prove that a message comes from the principal that it names. Without proof nothing is written and no flow runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.errors import CannotOpen, Unavailable
from paydispatch.domain.identity.principal import QUEUE

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim
    from paydispatch.domain.credentials import Binding
    from paydispatch.ports import RequestSlots, Vault


class ProofPorts(Protocol):
    """The ports of a proof."""

    @property
    def requests(self) -> RequestSlots: ...

    @property
    def vault(self) -> Vault: ...


async def is_proven(
    ports: ProofPorts, claim: Claim, binding: Binding, sealed_secret: str | None
) -> bool:
    """Return whether the seal opens for the principal, or the request's slot holds a claim with the same seal.

    A claim is written only after a proof. The principal `queue` needs no proof, because every program that may write to
    the queue has it. Raises `Unavailable` when the seal cannot be tried and the slot holds no such claim.
    """
    if binding.principal == QUEUE:
        return True
    if sealed_secret is None:
        return False
    try:
        await ports.vault.prove(binding, sealed_secret)
    except CannotOpen:
        return await _is_claimed(ports, claim)
    except Unavailable:
        if await _is_claimed(ports, claim):
            return True
        raise
    return True


async def _is_claimed(ports: ProofPorts, claim: Claim) -> bool:
    """Return whether this message, or a copy of it with the same seal, was proven before."""
    state = await ports.requests.find(claim)
    return state is not None and state.proves(claim)
