"""A batch of queue messages, worked on at once. One message can neither fail nor delay its neighbours' verdicts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.credentials import redact
from paydispatch.domain.entry import entry_for_malformed
from paydispatch.domain.envelope import Address, Malformed, read_message
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.outcomes import ErrorKind
from paydispatch.services.dispatch import Delivery, Dispatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.services.dispatch import DispatchPorts

PUBLISHING_TIME_S = 5.0
"""Kept back at the end of an invocation: enough to publish or defer whatever is still in flight."""


@dataclass(frozen=True, slots=True)
class Message:
    """One received queue message."""

    message_id: str
    body: str
    receive_count: int
    sent_at: float
    """Unix seconds."""
    first_received_at: float
    """Unix seconds."""


class BatchDispatch:
    """The Stripe caller's one service. `max_receives` is the queue's own: after it the queue dead-letters by itself."""

    def __init__(self, ports: DispatchPorts, *, max_receives: int) -> None:
        self._ports = ports
        self._max_receives = max_receives

    async def dispatch(self, messages: Sequence[Message], *, ends_at: float) -> list[str]:
        """Work on all of them; return the ids of those the queue must keep. Never raises.

        `ends_at` is the unix time at which the invocation is killed.
        """
        until = ends_at - PUBLISHING_TIME_S
        done = await asyncio.gather(*(self._guarded(message, until) for message in messages))
        return [message.message_id for message, ok in zip(messages, done, strict=True) if not ok]

    async def _guarded(self, message: Message, until: float) -> bool:
        try:
            await self._dispatch(message, until)
        except Unavailable as error:
            self._ports.journal.trouble(
                "message.kept", message_id=message.message_id, why=str(error)
            )
            return False
        except Exception:
            # A fault of ours costs this message alone: kept, in the log, dead-lettered in the end.
            self._ports.journal.trouble("message.failed", message_id=message.message_id)
            self._ports.journal.count("MessageFailed")
            return False
        return True

    async def _dispatch(self, message: Message, until: float) -> None:
        read = read_message(message.body, message_id=message.message_id, sent_at=message.sent_at)
        if isinstance(read, Malformed):
            await self._refuse(read, message)
            return
        delivery = Delivery(
            receive_count=message.receive_count,
            last_receive=message.receive_count >= self._max_receives,
            first_received_at=message.first_received_at,
            until=until,
        )
        await Dispatch(self._ports, read, delivery).run()

    async def _refuse(self, malformed: Malformed, message: Message) -> None:
        """What is no envelope ends in an error flow if it names a worker, and on the dead-letter queue if not."""
        self._ports.journal.line(
            "message.refused",
            message_id=message.message_id,
            code=malformed.code,
            param=malformed.param,
        )
        if malformed.address is not None:
            await self._publish_refusal(malformed, malformed.address, by=message.message_id)
            return
        self._ports.journal.count("MessageNotAttributable")
        await self._ports.queue.park(
            redact(message.body), reason=malformed.code, kind=ErrorKind.DISPATCHER
        )

    async def _publish_refusal(self, malformed: Malformed, address: Address, *, by: str) -> None:
        entry = entry_for_malformed(malformed, address, self._ports.clock.now_s())
        await self._ports.outcomes.publish(entry, sole=by)
        await self._ports.doorbell.ring(address.worker_id)
