"""Measure the CPU of a call in the caller, and the limiter's part of it. Print both as a line of JSON.

    python -m tests.performance.processes.limiter_cost ROUNDS

It runs in the environment of a caller process. Each round makes calls in batches of ten, and then asks the limiter
alone, in batches as large as its commands were for these calls. The calls and the asks alternate, so that a busy
machine slows both.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.performance.processes.caller import OpenVault, QuietLog
from tests.performance.processes.feed import Feed

import paydispatch.compose.stripe_caller as composition
from paydispatch.adapters.redis.rates import limiter as limiter_adapter
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.tokens import TokenAsk
from paydispatch.domain.requests import Lane
from paydispatch.services.call_batch import BatchCall
from paydispatch.settings import CallerSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from paydispatch.ports import Limiter

BATCH, BATCHES = 10, 5
"""The messages of a batch, and the batches of a round."""
ASKS = 300
"""The asks of a round."""


async def measure(rounds: int) -> dict[str, float]:
    log = QuietLog()
    feed = Feed(0, "cost")
    real = composition.connect(CallerSettings.from_env(), log)
    service = BatchCall(replace(real, queue=feed, vault=OpenVault(), log=log), max_receives=5)
    await _call(service, feed)  # everything is loaded and connected now
    with _counted_commands() as commands:
        calls_us, asks_us = [await _call(service, feed)], []
    asks_per_command = BATCH * BATCHES / commands["take"]
    for _ in range(rounds):
        asks_us.append(await _ask(real.limiter, round(asks_per_command)))
        calls_us.append(await _call(service, feed))
    return {
        "call_us": statistics.median(calls_us),
        "limiter_us": statistics.median(asks_us),
        "asks_per_command": asks_per_command,
    }


async def _call(service: BatchCall, feed: Feed) -> float:
    """Make the calls of a round. Return the CPU of one call in microseconds."""
    feed.send(Lane.INTERACTIVE, BATCH * BATCHES, at_s=0.0)

    async def call_batch() -> None:
        messages = feed.receive(Lane.INTERACTIVE, BATCH)
        if await service.call(messages, ends_at=time.time() + 60.0):
            raise RuntimeError("A call of the measurement failed.")

    return await _cpu_us(call_batch, BATCHES) / BATCH


async def _ask(limiter: Limiter, batch: int) -> float:
    """Ask the limiter. Return the CPU of one ask in microseconds, without that of the task that a call has anyway."""
    ask = TokenAsk(
        account="live acct_cost",
        operation="create_payment_intent",
        lane=RateLane.INTERACTIVE,
        longest_wait_s=2.0,
    )

    async def ask_together() -> None:
        await asyncio.gather(*(limiter.take(ask) for _ in range(batch)))

    async def do_nothing() -> None:
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(batch)))

    times = ASKS // batch
    used_us = await _cpu_us(ask_together, times) - await _cpu_us(do_nothing, times)
    return used_us / batch


async def _cpu_us(run: Callable[[], Awaitable[None]], times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        await run()
    return (time.process_time() - begun) / times * 1e6


@contextmanager
def _counted_commands() -> Iterator[Counter[str]]:
    """Count the commands that the limiter makes meanwhile, by the names of their scripts."""
    counts: Counter[str] = Counter()
    make = limiter_adapter.call_script

    def count(name: str, *arguments: Any) -> Any:
        counts[name] += 1
        return make(name, *arguments)

    limiter_adapter.call_script = count  # type: ignore[assignment]
    yield counts
    limiter_adapter.call_script = make


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1])))), flush=True)
