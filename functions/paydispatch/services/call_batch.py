"""Call Stripe for a batch of queue messages at once. A message neither fails nor delays the others of its batch."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.claims import claim_of_unread
from paydispatch.domain.credentials import redact
from paydispatch.domain.entry import entry_for_malformed, error_for_malformed
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.message.read_message import Address, Malformed, read_message
from paydispatch.domain.outcomes import ErrorKind
from paydispatch.domain.parameters.card_data import hide_card_data_in_text
from paydispatch.services.call_stripe import call_stripe
from paydispatch.services.calls.call import Receive
from paydispatch.services.calls.prove_principal import is_proven
from paydispatch.services.calls.publish_outcome import close_and_publish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.services.calls.call import CallPorts

PUBLISHING_TIME_S = 5.0
"""Seconds at the end of an invocation without a call in flight: enough to publish or defer every request."""


@dataclass(frozen=True, slots=True)
class Message:
    """One received queue message."""

    message_id: str
    body: str
    receive_count: int
    sent_at: float
    """Unix seconds."""
    exhausted: bool = False
    """SQS moved the message here after its last receive, because each worker that took it died."""


class BatchCall:
    """The Stripe caller's one service."""

    def __init__(self, ports: CallPorts, *, max_receives: int) -> None:
        """`max_receives` is the queue's `maxReceiveCount`, after which SQS moves a message to the exhausted queue."""
        self._ports = ports
        self._max_receives = max_receives

    async def call(self, messages: Sequence[Message], *, ends_at: float) -> list[str]:
        """Call Stripe for all messages. Return the ids of those that the queue must keep. Never raises.

        `ends_at` is the time at which Lambda kills the invocation, in unix seconds.
        """
        until = ends_at - PUBLISHING_TIME_S
        done = await asyncio.gather(*(self._call_safely(message, until) for message in messages))
        return [message.message_id for message, ok in zip(messages, done, strict=True) if not ok]

    async def _call_safely(self, message: Message, until: float) -> bool:
        """Return whether the message may be acknowledged."""
        try:
            await self._call(message, until)
        except Unavailable as error:
            self._ports.log.warning("message.kept", message_id=message.message_id, why=str(error))
            return False
        except Exception:
            # A fault of paydispatch itself. The queue keeps the message, and SQS dead-letters it in the end.
            self._ports.log.warning("message.failed", message_id=message.message_id)
            self._ports.log.count("MessageFailed")
            return False
        return True

    async def _call(self, message: Message, until: float) -> None:
        read = read_message(message.body, message_id=message.message_id, sent_at=message.sent_at)
        if isinstance(read, Malformed):
            await self._refuse(read, message)
            return
        receive = Receive(
            receive_count=message.receive_count,
            last_receive=message.exhausted or message.receive_count >= self._max_receives,
            until=until,
        )
        await call_stripe(self._ports, read, receive)

    async def _refuse(self, malformed: Malformed, message: Message) -> None:
        """Publish the error of a message that is no envelope. Park the message if no worker in it can be trusted."""
        self._ports.log.info(
            "message.refused",
            message_id=message.message_id,
            code=malformed.code,
            param=malformed.param,
        )
        address = malformed.address
        if address is not None and await self._publish_error(malformed, address, message.sent_at):
            return
        self._ports.log.count("MessageNotAttributable")
        await self._ports.queue.park(
            hide_card_data_in_text(redact(message.body)),
            reason=malformed.code,
            kind=ErrorKind.DISPATCHER,
        )

    async def _publish_error(self, malformed: Malformed, address: Address, sent_at: float) -> bool:
        """Publish the error to the worker that the message names. False: the message's principal is not proven."""
        claim = claim_of_unread(address, self._ports.queue_tenant, sent_at)
        if not await is_proven(self._ports, claim, address.binding, address.sealed_secret):
            return False
        error = error_for_malformed(malformed)
        entry = entry_for_malformed(error, address, claim, self._ports.clock.now_s())
        await close_and_publish(self._ports, claim, error, entry)
        return True
