"""Delivers each new event to the webhooks that want it, in the background, until the server ends."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from paydispatch.twin.events.signature import HEADER, sign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.twin.events.event import Event
    from paydispatch.twin.events.webhooks import Webhook
    from paydispatch.twin.twin import StripeTwin

RETRY_AFTER_S = (0.5, 1.0, 2.0, 4.0)
"""The pauses between the attempts of a delivery. Stripe tries for three days."""

MOST_WAITING = 10_000
"""The deliveries that wait at one time. A further one is dropped and counted."""

MOST_AT_ONCE = 16
_TIMEOUT_S = 10.0
_HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
}


@asynccontextmanager
async def deliver_events(twin: StripeTwin) -> AsyncIterator[None]:
    """Deliver new events while the block runs. Whatever still waits at its end is not delivered."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, headers=_HEADERS) as session:
        deliveries = Deliveries(twin, session)
        stop = twin.events.listen(deliveries.start)
        try:
            yield
        finally:
            stop()
            await deliveries.cancel()


class Deliveries:
    """The deliveries that wait or run. Each is a task."""

    def __init__(self, twin: StripeTwin, session: aiohttp.ClientSession) -> None:
        self._webhooks = twin.webhooks
        self._session = session
        self._tasks: set[asyncio.Task[None]] = set()
        self._free = asyncio.Semaphore(MOST_AT_ONCE)

    def start(self, event: Event) -> None:
        """Start the deliveries of an event, with the faults on their way."""
        for webhook in self._webhooks.for_event(event):
            event.pending_webhooks += 1
            for delay_s in self._webhooks.faults.decide():
                self._start_one(event, webhook, delay_s)

    async def cancel(self) -> None:
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start_one(self, event: Event, webhook: Webhook, delay_s: float) -> None:
        if self._webhooks.waiting >= MOST_WAITING:
            self._webhooks.counts["dropped"] += 1
            return
        task = asyncio.create_task(self._deliver(event, webhook, delay_s))
        self._tasks.add(task)
        self._webhooks.waiting += 1
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._webhooks.waiting -= 1

    async def _deliver(self, event: Event, webhook: Webhook, delay_s: float) -> None:
        """Send an event until the webhook takes it, a few times at most."""
        await asyncio.sleep(delay_s)
        for pause_s in (*RETRY_AFTER_S, None):
            async with self._free:
                taken = await self._send(event, webhook)
            if taken:
                self._webhooks.counts["delivered"] += 1
                event.delivered_at = event.delivered_at or time.time()
                event.pending_webhooks = max(0, event.pending_webhooks - 1)
                return
            if pause_s is not None:
                self._webhooks.counts["retried"] += 1
                await asyncio.sleep(pause_s)
        self._webhooks.counts["given_up"] += 1

    async def _send(self, event: Event, webhook: Webhook) -> bool:
        """Return whether the webhook answered with a status from 200 to 299.

        The signature has the time of the machine, because the receiver compares it with its own clock.
        """
        body = json.dumps(event.as_json(), indent=2).encode()
        signature = {HEADER: sign(body, webhook.secret, time.time())}
        try:
            async with self._session.post(
                webhook.url, data=body, headers=signature, allow_redirects=False
            ) as answer:
                return 200 <= answer.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
