"""A queue that is made at its first use, for a program that seldom sends."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.outcomes import ErrorKind
    from paydispatch.ports import AsyncQueue


class QueueOnDemand:
    """`AsyncQueue` that makes the real one in a thread, because botocore's imports would stop the event loop.

    If that fails, the next use tries again.
    """

    def __init__(self, connect: Callable[[], AsyncQueue]) -> None:
        self._connect = connect
        self._making = threading.Lock()
        self._made: AsyncQueue | None = None

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        await (await self._queue()).send(envelopes)

    async def defer(self, envelope: Envelope, delay_s: float, *, group: str | None = None) -> None:
        await (await self._queue()).defer(envelope, delay_s, group=group)

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        await (await self._queue()).park(body, reason=reason, kind=kind)

    async def _queue(self) -> AsyncQueue:
        made = self._made
        return await asyncio.to_thread(self._make) if made is None else made

    def _make(self) -> AsyncQueue:
        """Make the queue once, at the first use. Raises `Unavailable` as the other methods of the port do."""
        from paydispatch.adapters.aws.errors import unavailable_for_aws_errors

        with self._making, unavailable_for_aws_errors():
            made = self._made or self._connect()
            self._made = made
            return made
