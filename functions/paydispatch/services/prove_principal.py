"""Prove that a message comes from the principal it names. Before that nothing is written and no flow runs for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.errors import CannotOpen, Unavailable
from paydispatch.domain.principal import QUEUE

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim
    from paydispatch.domain.credentials import Binding
    from paydispatch.ports import RequestSlots, Vault


class ProofPorts(Protocol):
    """What a proof needs of the world."""

    @property
    def requests(self) -> RequestSlots: ...

    @property
    def vault(self) -> Vault: ...


async def is_proven(
    ports: ProofPorts, claim: Claim, binding: Binding, sealed_secret: str | None
) -> bool:
    """Return whether the seal opens for the principal, or a proven claim made with the same seal says so.

    The queue's own principal needs no proof, because whoever writes to the queue is it. Raises `Unavailable` while
    neither can be said.
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
    """Tell whether this message, with this seal, or a copy of it was proven before."""
    state = await ports.requests.find(claim)
    return state is not None and state.proves(claim)
