"""One process of the Stripe caller: the real `BatchCall` with the real ports, but for the queue and the seal.

    python -m tests.performance.processes.caller NUMBER CLOCK_OFFSET_S

Reads one phase per line from its standard input, as JSON, and prints the figures of each as a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.performance.processes.feed import Feed

import paydispatch.compose.stripe_caller as composition
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.rates.tokens import Granted
from paydispatch.domain.requests import Lane
from paydispatch.services.call_batch import BatchCall
from paydispatch.settings import CallerSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.rates.feedback import Change, Feedback
    from paydispatch.domain.rates.tokens import Postponed, TokenAsk
    from paydispatch.ports import Limiter

INVOCATION_S = 60.0
IDLE_S = 0.02
LEAD_IN_S = 3
"""The first seconds of a phase are not counted, because all callers begin with a full batch."""


class OffsetClock:
    """A clock that is so many seconds ahead of the machine's."""

    offset_s = 0.0

    def now_s(self) -> float:
        return time.time() + self.offset_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class OpenVault:
    """A vault without KMS, which is not measured here. The name of a secret is that of an account of the twin."""

    async def prove(self, binding: object, sealed_secret: str) -> None: ...

    async def open(self, envelope: Envelope) -> StripeKey:
        return StripeKey(f"sk_live_{envelope.secret_ref}")


class TimedLimiter:
    """The real limiter, and how long each call waited for its tokens."""

    def __init__(self, limiter: Limiter, *, from_s: float) -> None:
        """Waits that begin before `from_s` are not measured, because connections are made then."""
        self._limiter, self._from_s = limiter, from_s
        self.waits_ms: dict[str, list[float]] = {lane.value: [] for lane in Lane}
        """From the question to the turn."""
        self.reserved_ms: dict[str, list[float]] = {lane.value: [] for lane in Lane}
        """The part of it that the limiter decided. The rest is the round trip and the machine."""

    async def take(self, ask: TokenAsk) -> Granted | Postponed:
        asked_s = time.monotonic()
        answer = await self._limiter.take(ask)
        if isinstance(answer, Granted) and time.time() >= self._from_s:
            waited_s = time.monotonic() - asked_s + answer.wait_s
            self.waits_ms[ask.lane.value].append(waited_s * 1000)
            self.reserved_ms[ask.lane.value].append(answer.wait_s * 1000)
        return answer

    async def confirm(self, granted: Granted) -> bool:
        return await self._limiter.confirm(granted)

    async def report(self, granted: Granted, feedback: Feedback) -> Change:
        return await self._limiter.report(granted, feedback)


@dataclass(slots=True)
class QuietLog:
    """An `EventLog` that only counts."""

    counts: dict[str, int] = field(default_factory=dict)

    def info(self, event: str, **_fields: object) -> None: ...

    def warning(self, event: str, **_fields: object) -> None:
        self.count(event)

    def count(self, name: str, *_more: object, **_fields: object) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1


async def run_phase(caller: int, phase: Mapping[str, Any]) -> dict[str, Any]:
    """Call Stripe for the messages of a phase until its end. Return the figures."""
    log = QuietLog()
    settings = CallerSettings.from_env({**os.environ, **phase["environment"]})
    real = composition.connect(settings, log)
    feed = Feed(caller, phase["account"])
    limiter = TimedLimiter(real.limiter, from_s=phase["begin_s"] + LEAD_IN_S)
    ports = replace(real, queue=feed, vault=OpenVault(), limiter=limiter, log=log)
    service = BatchCall(ports, max_receives=5)
    await _warm_up(service, caller, phase)
    cpu_s = time.process_time()
    work = [_work(service, feed, Lane(name), lane, phase) for name, lane in phase["lanes"].items()]
    await asyncio.gather(*work)
    return {
        "caller": caller,
        "sent": feed.sent,
        "waiting": feed.waiting,
        "deferred": feed.deferred,
        "parked": feed.parked,
        "waits_ms": limiter.waits_ms,
        "reserved_ms": limiter.reserved_ms,
        "cpu_s": time.process_time() - cpu_s,
        "counts": log.counts,
    }


async def _warm_up(service: BatchCall, caller: int, phase: Mapping[str, Any]) -> None:
    """Make one call, so that everything is loaded and connected when the phase begins."""
    feed = Feed(caller, phase["account"])
    feed.send(Lane.INTERACTIVE, 1, at_s=0.0)
    messages = feed.receive(Lane.INTERACTIVE, 1)
    await service.call(messages, ends_at=time.time() + OffsetClock.offset_s + INVOCATION_S)
    await asyncio.sleep(phase["begin_s"] - time.time())


async def _work(
    service: BatchCall, feed: Feed, name: Lane, lane: Mapping[str, Any], phase: Mapping[str, Any]
) -> None:
    """Make one batch of a lane after the other, as one environment of Lambda does."""
    _send(feed, name, lane, phase)
    while time.time() < phase["end_s"]:
        messages = feed.receive(name, lane["batch_size"])
        if not messages:
            await asyncio.sleep(IDLE_S)
            continue
        ends_at = time.time() + OffsetClock.offset_s + INVOCATION_S
        kept = await service.call(messages, ends_at=ends_at)
        feed.keep(name, messages, kept)


def _send(feed: Feed, name: Lane, lane: Mapping[str, Any], phase: Mapping[str, Any]) -> None:
    """Send the messages of a lane: a backlog, and others at random or even times, `per_s` on average."""
    feed.send(name, lane["backlog"], at_s=phase["begin_s"])
    per_s, at_s = lane["per_s"], phase["begin_s"]
    while per_s and (at_s := at_s + _distance_s(per_s, evenly=lane["evenly"])) < phase["end_s"]:
        feed.send(name, 1, at_s=at_s)


def _distance_s(per_s: float, *, evenly: bool) -> float:
    return 1 / per_s if evenly else random.expovariate(per_s)


def main() -> None:
    caller, OffsetClock.offset_s = int(sys.argv[1]), float(sys.argv[2])
    # The clients of a phase stay open until the process ends, as in Lambda. asyncio would complain about each.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    composition.SystemClock = OffsetClock  # type: ignore[assignment,misc]
    print(json.dumps({"ready": caller}), flush=True)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(run_phase(caller, json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
