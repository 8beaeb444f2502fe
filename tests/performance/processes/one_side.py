"""One side of `one_call.py`: the caller of one checkout, or Stripe's own client, in a process of its own.

    PYTHONPATH=CHECKOUT/functions python tests/performance/processes/one_side.py {caller|stripe-httpx|stripe-aiohttp}

Reads one round per line from its standard input, as JSON (`calls`, `in_flight`, and `profile` with a file's name or
null), and prints its figures as a line of JSON. It uses nothing of its own checkout, because it measures others too.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import os
import sys
import time
import uuid
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

KEY = "sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc"
PARAMS = {
    "amount": 2000,
    "currency": "usd",
    "customer": "cus_1",
    "description": "An order of a benchmark",
    "metadata": {"order": "1001"},
}
INVOCATION_S = 120.0


class Side(Protocol):
    async def call(self, calls: int) -> None:
        """Make so many calls at once, and return when the last has ended."""


class Kms:
    """A KMS that has its answer already: the network to AWS is not measured here."""

    def __init__(self, plain: bytes) -> None:
        self._plain = plain

    def decrypt(self, **_asked: Any) -> dict[str, bytes]:
        return {"Plaintext": self._plain}


class Caller:
    """The whole Stripe caller as Lambda runs it, with its log. Only the queue and KMS are stand-ins."""

    def __init__(self) -> None:
        from dataclasses import replace

        import paydispatch.compose.stripe_caller as composition
        from paydispatch.adapters.aws.kms import KmsVault
        from paydispatch.adapters.aws.sealing import DataKey
        from paydispatch.compose.async_lambda import lambda_log
        from paydispatch.services.call_batch import BatchCall
        from paydispatch.settings import CallerSettings

        log = lambda_log("stripe_caller")
        settings = CallerSettings.from_env(os.environ)
        real = composition.connect(settings, log)
        self._data_key = DataKey(os.urandom(32), os.urandom(184))
        kms: Any = Kms(self._data_key.plain)
        nothing: Any = None
        vault = KmsVault(kms, nothing, queue_tenant=settings.queue_tenant)
        self._service = BatchCall(replace(real, vault=vault), max_receives=5)
        self._bodies: list[str] = []

    def prepare(self, calls: int) -> None:
        """Write the messages before the clock runs, because other programs do that."""
        self._bodies = [self._body() for _ in range(calls)]

    async def call(self, calls: int) -> None:
        from paydispatch.services.call_batch import Message

        bodies, self._bodies = self._bodies[:calls], self._bodies[calls:]
        now_s = time.time()
        messages = [
            Message(message_id=uuid.uuid4().hex, body=body, receive_count=1, sent_at=now_s)
            for body in bodies
        ]
        kept = await self._service.call(messages, ends_at=now_s + INVOCATION_S)
        assert not kept, f"{len(kept)} of {calls} messages were not called"

    def _body(self) -> str:
        from paydispatch.adapters.aws.sealing import seal
        from paydispatch.domain.credentials import Binding, StripeKey
        from paydispatch.domain.envelope import Envelope
        from paydispatch.domain.progress import Progress

        now_s, context = time.time(), uuid.uuid4().hex
        binding = Binding(principal="local", worker_id="one-call", context_id=context)
        envelope = Envelope(
            request_id=f"pdr_{uuid.uuid4().hex}",
            object="payment_intent",
            params=PARAMS,
            worker_id="one-call",
            context_id=context,
            accepted_at=now_s,
            progress=Progress(deadline_at=now_s + 3_600.0),
            sealed_secret=seal(StripeKey(KEY), binding, self._data_key),
            principal="local",
        )
        return envelope.as_message()


class Library:
    """Stripe's own library and nothing else: no queue, no Redis, no log, no proof."""

    def __init__(self, transport: str) -> None:
        import stripe

        client = stripe.HTTPXClient() if transport == "httpx" else stripe.AIOHTTPClient()
        self._stripe = stripe.StripeClient(
            KEY, http_client=client, base_addresses={"api": os.environ["STRIPE_API_BASE"]}
        )

    def prepare(self, calls: int) -> None: ...

    async def call(self, calls: int) -> None:
        create: Callable[..., Awaitable[Any]] = self._stripe.v1.payment_intents.create_async
        await asyncio.gather(
            *(create(PARAMS, {"idempotency_key": uuid.uuid4().hex}) for _ in range(calls))
        )


async def measure(side: Caller | Library, asked: Mapping[str, Any]) -> dict[str, float]:
    """Make `calls` calls, `in_flight` at once, and return the figures of one."""
    side.prepare(asked["calls"])
    walls: list[float] = []
    cpu_s = time.process_time()
    for _ in range(asked["calls"] // asked["in_flight"]):
        begun = time.perf_counter()
        await side.call(asked["in_flight"])
        walls.append(time.perf_counter() - begun)
    cpu_s = time.process_time() - cpu_s
    return {"cpu_us": cpu_s / asked["calls"] * 1e6, "wall_ms": sorted(walls)[len(walls) // 2] * 1e3}


def _hide_what_the_checkout_does_not_lock() -> None:
    """Hide hiredis from a checkout that does not depend on it, because redis-py uses it wherever it is installed."""
    lock = Path(os.environ["PYTHONPATH"]).parent / "uv.lock"
    if 'name = "hiredis"' not in lock.read_text("utf-8"):
        sys.modules["hiredis"] = None  # type: ignore[assignment]


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the log lines are written, but to nowhere
    _hide_what_the_checkout_does_not_lock()
    name, _, transport = sys.argv[1].partition("-")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    side = Caller() if name == "caller" else Library(transport)
    for line in sys.stdin:
        asked = json.loads(line)
        profile = cProfile.Profile() if asked.get("profile") else None
        with profile or nullcontext():
            figures = loop.run_until_complete(measure(side, asked))
        if profile:
            profile.dump_stats(asked["profile"])
        print(json.dumps(figures), file=answers, flush=True)
    os._exit(0)  # the clients stay open, as in Lambda


if __name__ == "__main__":
    main()
