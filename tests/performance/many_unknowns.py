"""Measure a look for 1,000 unknown requests in an account that made 1,000,000 objects in their window.

    python tests/performance/many_unknowns.py [--unknown 1000] [--objects 1000000] [--invocation-s 10] [--json]

Serves the list from a small fake Stripe, which makes each page when it is asked for. Each invocation ends after
`--invocation-s` seconds, so that the pass is cut off many times. Prints how many requests were settled, how many pages
were read, how many of them twice, and how much memory the pass took. Fails unless all are settled, no page was read
twice, and the memory is flat.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from email.utils import formatdate
from typing import Any

import httpx

from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.stripe.lists import HttpStripeLists
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.looks.doubts import FIRST_LOOK_S, Doubt, Place
from paydispatch.domain.looks.messages import LookMessage
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.rates.limits import NO_LIMITS
from paydispatch.domain.stripe.accounts import AccountBinding, bind_account
from paydispatch.services.looks.run_look import Looks
from paydispatch.services.reconcile import ReconcilePorts
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_doorbells import MemoryDoorbell
from paydispatch.testing.memory_doubts import MemoryDoubts
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_limiter import MemoryLimiter
from paydispatch.testing.memory_operations import MemoryUnknownOutcomes
from paydispatch.testing.memory_outcomes import MemoryOutcomes
from paydispatch.testing.memory_queues import MemoryAsyncLookQueue
from paydispatch.testing.memory_requests import MemoryRequests
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault
from paydispatch.testing.memory_stripe import MemoryAccounts

KEY = "sk_live_" + "Look" * 6
SECRET = "shop"
SPAN_S = 1_200
"""The seconds over which the objects and the sends are spread."""
FLAT_MIB = 32.0
"""The most memory that the pass may need beside what stands before it."""


class FakeStripe:
    """A list of numbered objects, the newest first. Every so many objects, one has the mark of a request."""

    def __init__(self, objects: int, unknown: int, began_at: int) -> None:
        self._objects = objects
        self._every = objects // unknown
        self._began_at = began_at
        self.asked: list[tuple[str, str, str]] = []

    def created(self, number: int) -> int:
        return self._began_at + number * SPAN_S // self._objects

    def answer(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        earliest, latest = int(query["created[gte]"]), int(query["created[lte]"])
        after = query.get("starting_after")
        newest = int(after.removeprefix("pi_")) - 1 if after else self._objects - 1
        while newest >= 0 and self.created(newest) > latest:
            newest -= max(1, (self.created(newest) - latest) * self._objects // SPAN_S // 2)
        numbers = range(newest, max(-1, newest - 100), -1)
        page = [number for number in numbers if self.created(number) >= earliest]
        more = bool(page) and page[-1] > 0 and self.created(page[-1] - 1) >= earliest
        self.asked.append((query["created[lte]"], str(after), str(page[0]) if page else ""))
        body = json.dumps({"data": list(map(self._object, page)), "has_more": more})
        return httpx.Response(200, text=body, headers={"date": formatdate(usegmt=True)})

    def _object(self, number: int) -> dict[str, Any]:
        marked = number % self._every == 0
        return {
            "id": f"pi_{number}",
            "object": "payment_intent",
            "amount": 2_000,
            "currency": "usd",
            "status": "succeeded",
            "description": "An order of another program. " * 8,
            "created": self.created(number),
            "metadata": {MARK: f"pdr_{number // self._every}"} if marked else {},
        }


class Program:
    """The looks over in-memory stores, and a fake Stripe."""

    def __init__(self, objects: int, unknown: int) -> None:
        self.clock = SystemClock()
        self.began_at = int(time.time()) - 3_600
        self.stripe = FakeStripe(objects, unknown, self.began_at)
        self.unknown = unknown
        self.outcomes = MemoryOutcomes(MemoryClock())
        self.doubts = MemoryDoubts(self.clock)
        self.queue = MemoryAsyncLookQueue()
        self.account = bind_account(
            StripeKey(KEY), "acct_1", stripe_account=None, stripe_context=None
        )
        self.place = Place(self.account.rate_account, "payment_intent")

    def looks(self, client: httpx.AsyncClient) -> Looks:
        requests = MemoryRequests(MemoryClock(), self.outcomes)
        ports = ReconcilePorts(
            unknown_outcomes=MemoryUnknownOutcomes(self.outcomes, requests),
            requests=requests,
            lists=HttpStripeLists(client),
            accounts=MemoryAccounts(),
            limiter=MemoryLimiter(MemoryClock(), NO_LIMITS),
            vault=MemoryVault(MemorySealer(), {("local", SECRET): KEY}),
            outcomes=self.outcomes,
            doorbell=MemoryDoorbell(),
            doubts=self.doubts,
            look_queue=self.queue,
            clock=self.clock,
            log=MemoryEventLog(),
        )
        return Looks(ports)

    async def fill(self) -> None:
        for number in range(self.unknown):
            sent_at = self.began_at + number * SPAN_S / self.unknown
            await self.outcomes.publish(_entry(f"pdr_{number}", sent_at, self.account))
            doubt = Doubt("worker-1", f"pdr_{number}", sent_at)
            await self.doubts.note(self.place, doubt, due_at=self.clock.now_s())

    @property
    def settled(self) -> int:
        return sum(one.outcome.settled for one in self.outcomes.entries)


def _entry(request_id: str, sent_at: float, account: AccountBinding) -> OutcomeEntry:
    return OutcomeEntry(
        request_id=request_id,
        object="payment_intent",
        worker_id="worker-1",
        context_id=request_id,
        params={"amount": 2_000, "currency": "usd"},
        outcome=Error(
            kind=ErrorKind.HTTP, message="no answer", attempts=1, certainty=Certainty.UNKNOWN
        ),
        settled_at=sent_at + 60,
        first_sent_at=sent_at,
        last_sent_at=sent_at,
        account=account,
        secret_ref=SECRET,
        principal="queue",
    )


async def measure(program: Program, invocation_s: float) -> dict[str, float]:
    await program.fill()
    transport = httpx.MockTransport(program.stripe.answer)
    invocations, looks = 0, 0
    async with httpx.AsyncClient(base_url="https://stripe", transport=transport) as client:
        service = program.looks(client)
        before_kib, started = _peak_kib(), time.perf_counter()
        while program.settled < program.unknown and invocations < 1_000:
            message = LookMessage(
                account=program.place.account, object=program.place.object, looks=looks
            )
            await service.look(message, until=time.time() + invocation_s)
            invocations += 1
            looks = (await program.doubts.state(program.place)).looks
            if program.queue.sent and program.queue.sent[-1][1] > FIRST_LOOK_S:
                break
        took_s = time.perf_counter() - started
    asked = program.stripe.asked
    return {
        "unknown": program.unknown,
        "settled": program.settled,
        "invocations": invocations,
        "pages": len(asked),
        "pages read twice": len(asked) - len({first for _, _, first in asked}),
        "GETs for each request": round(len(asked) / program.unknown, 2),
        "seconds": round(took_s, 1),
        "memory of the pass in MiB": round((_peak_kib() - before_kib) / 1024, 1),
    }


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--unknown", type=int, default=1_000)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--invocation-s", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    program = Program(arguments.objects, arguments.unknown)
    figures = asyncio.run(measure(program, arguments.invocation_s))
    if arguments.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:<28} {value}" for name, value in figures.items()))
    flat = figures["memory of the pass in MiB"] <= FLAT_MIB
    done = figures["settled"] == figures["unknown"] and not figures["pages read twice"]
    return 0 if flat and done else 1


if __name__ == "__main__":
    sys.exit(main())
