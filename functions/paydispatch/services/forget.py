"""Forget a conversation: erase its data in Redis and in the dead-letter queue, because a person asked for it.

The guards against a second effect stay: the fingerprint of each request, its sends and its status. They name no person.
Unfinished work stays as well and is counted, because its erasure would lose a payment's outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.identity.principal import tenant_of
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.message.read_message import Malformed
from paydispatch.domain.operators.erasure import Erased, Erasure
from paydispatch.domain.operators.redrive import NOT_ACCEPTED, read_parked

if TYPE_CHECKING:
    from paydispatch.domain.operators.erasure import Conversation
    from paydispatch.domain.operators.redrive import Parked
    from paydispatch.ports import Conversations, DeadLetterQueue


@dataclass(frozen=True, slots=True)
class Forgetter:
    """The service of `paydispatch forget`. Both methods raise `Unavailable`, and can be called again after it."""

    conversations: Conversations
    dead_letters: DeadLetterQueue
    queue_tenant: str

    async def examine(self, whose: Conversation) -> Erasure:
        """Return the counts of `forget` without erasing anything."""
        return await self._walk(whose, write=False)

    async def forget(self, whose: Conversation) -> Erasure:
        """Erase the settled work, and return the counts.

        The slots come last. A run that is cut off in the middle therefore finds the dead letters again.
        """
        return await self._walk(whose, write=True)

    async def _walk(self, whose: Conversation, *, write: bool) -> Erasure:
        slots = await self.conversations.requests(whose)
        erasure = Erasure(dead_letters=await self._dead_letters(whose, write=write))
        erasure = await self._streams(erasure, whose, write=write)
        requests = Erased()
        for slot in slots:
            requests += await self.conversations.erase_request(slot, whose, write=write)
        return replace(erasure, requests=requests)

    async def _streams(self, erasure: Erasure, whose: Conversation, *, write: bool) -> Erasure:
        outcomes, dead_flows = Erased(), Erased()
        for worker in await self.conversations.workers(whose):
            outcomes += await self.conversations.erase_outcomes(worker, whose, write=write)
            dead_flows += await self.conversations.erase_dead_flows(worker, whose, write=write)
        return replace(erasure, outcomes=outcomes, dead_flows=dead_flows)

    async def _dead_letters(self, whose: Conversation, *, write: bool) -> Erased:
        """Receive all parked messages, delete those of the context, and release the others."""
        held: dict[str, Parked] = {}
        erased = Erased()
        try:
            while fresh := await self._receive(held):
                for parked in fresh:
                    slot = self._slot_of(parked, whose)
                    if slot is None:
                        continue
                    settled = await self._is_settled(parked, slot, whose)
                    erased += Erased(1) if settled else Erased(left=1)
                    if write and settled:
                        await self.dead_letters.delete(parked)
                        del held[parked.message_id]
        finally:
            await self.dead_letters.release(list(held.values()))
        return erased

    async def _is_settled(self, parked: Parked, slot: str, whose: Conversation) -> bool:
        """Return whether no flow of the message is missing.

        Its slot says so. A message without a slot may be an accepted request whose callers all died before they began
        it. One without a proven principal never was a request.
        """
        found = await self.conversations.erase_request(slot, whose, write=False)
        return found.erased > 0 or (parked.reason == NOT_ACCEPTED and not found.left)

    async def _receive(self, held: dict[str, Parked]) -> list[Parked]:
        page = await self.dead_letters.receive()
        fresh = [parked for parked in page if parked.message_id not in held]
        held |= {parked.message_id: parked for parked in page}
        return fresh

    def _slot_of(self, parked: Parked, whose: Conversation) -> str | None:
        """Return the slot of a message's request. None: the message is not of the conversation."""
        read = read_parked(parked)
        if isinstance(read, Malformed) or read.context_id != whose.context_id:
            return None
        tenant = tenant_of(read.principal, self.queue_tenant)
        same_worker = whose.worker_id in (None, read.worker_id)
        if tenant != whose.tenant or not same_worker:
            return None
        return slot_name(tenant, read.request_id, self.queue_tenant)
