"""The Dispatcher: what makes `create_async` return at once.

It plays the part an async runtime plays: `create_async` hands a request over and goes on; a thread of the
Dispatcher's own carries batches to the queue. Its buffer is bounded, nothing is dropped silently, and leaving its
`with` block means that everything is durable, or raises.

    with Dispatcher.from_env():
        receipt = new_product().name("Tea").create_async("worker-1", "context-1", "sk_test_...")
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self

from paydispatch.domain.credentials import SecretRef, StripeKey, redact
from paydispatch.domain.errors import (
    BufferFull,
    NoDispatcher,
    NotDelivered,
    PaydispatchError,
    Unavailable,
)
from paydispatch.domain.requests import CreateRequest, parse_lane
from paydispatch.domain.retry import backoff_s
from paydispatch.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from httpx import Auth

    from paydispatch.delivery import Delivery, Parcel

__all__ = ["Dispatcher", "Receipt", "running_dispatcher"]

BUFFER_SIZE = 10_000
QUIET_S = 0.005
LONGEST_LINGER_S = 0.1
"""The thread carries a burst when it has been quiet for the one, or has gone on for the other. Until then callers have
the interpreter to themselves: a thread that works beside them would hold each up for milliseconds now and then."""

DELIVERY_TIMEOUT_S = 60.0
UPKEEP_EVERY_S = 60.0

_running: ContextVar[Dispatcher] = ContextVar("paydispatch_dispatcher")


def running_dispatcher() -> Dispatcher:
    """The Dispatcher of the innermost `with` block around the caller. Raises `NoDispatcher`.

    It is found through a context variable: tasks see it, threads started inside the block do not (pass it to them).
    """
    try:
        return _running.get()
    except LookupError:
        raise NoDispatcher from None


class Dispatcher:
    """Carries requests to the queue in the background. Use it as a context manager, sync or async."""

    def __init__(
        self,
        delivery: Delivery,
        *,
        buffer_size: int = BUFFER_SIZE,
        delivery_timeout_s: float = DELIVERY_TIMEOUT_S,
    ) -> None:
        """`delivery_timeout_s` bounds how long one request is offered to a queue that does not take it."""
        self._delivery = delivery
        self._buffer_size = buffer_size
        self._delivery_timeout_s = delivery_timeout_s
        self._waiting: deque[_Pending] = deque()
        self._undelivered: set[Receipt] = set()
        self._failed: list[Receipt] = []
        self._wake = threading.Event()
        self._idle = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._tokens: list[Token[Dispatcher]] = []

    @classmethod
    def from_env(cls, **options: Any) -> Self:
        """Straight to SQS. Reads REQUEST_QUEUE_URL, BATCH_QUEUE_URL and SEALING_KEY_ID, and AWS' own variables."""
        from paydispatch.adapters.delivery_sqs import sqs_delivery
        from paydispatch.settings import SdkSettings

        return cls(sqs_delivery(SdkSettings.from_env()), **options)

    @classmethod
    def http(cls, base_url: str, *, auth: Auth | str | None = None, **options: Any) -> Self:
        """Through the HTTP API. `auth` is an `httpx.Auth`, or a text that is sent as a bearer token."""
        from paydispatch.adapters.delivery_http import HttpDelivery

        return cls(HttpDelivery(base_url, auth=auth), **options)

    def start(self) -> Self:
        """Connect and start the thread. Raises `Unavailable` when the sealing key cannot be reached."""
        self._delivery.open()
        self._closing = False
        self._thread = threading.Thread(target=self._carry_all, name="paydispatch", daemon=True)
        self._thread.start()
        return self

    def close(self, timeout_s: float | None = None) -> None:
        """Flush, stop the thread and disconnect. Raises `NotDelivered`, as `flush` does."""
        try:
            self.flush(timeout_s)
        finally:
            self._closing = True
            self._wake.set()
            if self._thread is not None:
                self._thread.join()
                self._thread = None
            self._delivery.close()

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every receipt is durable. Raises `NotDelivered` naming those that are not in time."""
        timeout_s = self._delivery_timeout_s if timeout_s is None else timeout_s
        with self._idle:
            self._idle.wait_for(lambda: not self._undelivered, timeout_s)
            left = [*self._failed, *self._undelivered.copy()]
            self._failed = []
        if left:
            causes = {str(receipt.failure) for receipt in left if receipt.failure is not None}
            raise NotDelivered(left, "; ".join(sorted(causes)) or "The queue took too long.")

    def submit(
        self,
        object_name: str,
        params: Mapping[str, Any],
        worker_id: str,
        context_id: str,
        stripe_secret: str | StripeKey | SecretRef,
        *,
        idempotency_key: str | None = None,
        lane: str = "interactive",
        deadline_s: float | None = None,
        stripe_account: str | None = None,
        stripe_context: str | None = None,
    ) -> Receipt:
        """Check, seal and buffer one request; no I/O. What `create_async` calls.

        Raises a `BadRequest` for what is wrong with it, `BufferFull`, or `NoDispatcher` when this one is not running.
        """
        return self.submit_request(
            CreateRequest(
                object=object_name,
                params=params,
                worker_id=worker_id,
                context_id=context_id,
                credential=_credential(stripe_secret),
                lane=parse_lane(lane),
                deadline_s=deadline_s,
                stripe_account=stripe_account,
                stripe_context=stripe_context,
                idempotency_key=idempotency_key,
            )
        )

    def submit_request(self, request: CreateRequest) -> Receipt:
        """The same for a request that has been put together already."""
        if self._thread is None:
            raise NoDispatcher
        if len(self._undelivered) >= self._buffer_size:
            raise BufferFull(self._buffer_size)
        parcel = self._delivery.prepare(request)
        receipt = Receipt(
            request_id=parcel.request_id,
            object_name=request.object,
            worker_id=request.worker_id,
            context_id=request.context_id,
        )
        self._undelivered.add(receipt)
        self._waiting.append(_Pending(parcel, receipt, time.monotonic() + self._delivery_timeout_s))
        if not self._wake.is_set():
            self._wake.set()
        return receipt

    def __enter__(self) -> Self:
        self.start()
        self._tokens.append(_running.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        _running.reset(self._tokens.pop())
        try:
            self.close()
        except NotDelivered as left:
            if error is None:
                raise
            error.add_note(str(left))  # the block's own error stays the one that is raised

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        self._tokens.append(_running.set(self))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        _running.reset(self._tokens.pop())
        try:
            await asyncio.to_thread(self.close)
        except NotDelivered as left:
            if error is None:
                raise
            error.add_note(str(left))

    def _carry_all(self) -> None:
        """The thread: wait for a burst, let it gather, carry it."""
        upkeep_at = time.monotonic() + UPKEEP_EVERY_S
        while not (self._closing and not self._waiting):
            self._wake.wait(UPKEEP_EVERY_S)
            self._wake.clear()
            while self._waiting:
                self._let_gather()
                self._carry(self._next_batch())
            if time.monotonic() >= upkeep_at:
                self._delivery.upkeep()
                upkeep_at = time.monotonic() + UPKEEP_EVERY_S

    def _let_gather(self) -> None:
        until = time.monotonic() + LONGEST_LINGER_S
        count = -1
        while not self._closing and len(self._waiting) != count and time.monotonic() < until:
            count = len(self._waiting)
            time.sleep(QUIET_S)

    def _next_batch(self) -> list[_Pending]:
        count = min(len(self._waiting), self._delivery.batch_limit)
        return [self._waiting.popleft() for _ in range(count)]

    def _carry(self, batch: list[_Pending]) -> None:
        """Offer a batch until each of it is taken, refused for good, or out of time."""
        attempt = 0
        while batch:
            attempt += 1
            batch = self._offer(batch)
            if not batch:
                return
            if self._closing:
                self._give_up(
                    batch, Unavailable("The Dispatcher was closed before the queue took it.")
                )
                return
            time.sleep(min(backoff_s(attempt, random.random()), 5.0))

    def _offer(self, batch: list[_Pending]) -> list[_Pending]:
        """One call; return those worth offering again."""
        results = self._deliver([pending.parcel for pending in batch])
        again = []
        now = time.monotonic()
        for pending, result in zip(batch, results, strict=True):
            if isinstance(result, str):
                pending.receipt.landed(result)
                self._undelivered.discard(pending.receipt)
            elif isinstance(result, Unavailable) and now < pending.give_up_at:
                again.append(pending)
            else:
                self._give_up([pending], result)
        self._tell_idle()
        return again

    def _deliver(self, parcels: Sequence[Parcel]) -> Sequence[str | PaydispatchError]:
        """A fault in the delivery costs its batch, which is told; it must not end the thread."""
        try:
            return self._delivery.deliver(parcels)
        except Exception as error:
            fault = PaydispatchError(redact(f"{type(error).__name__}: {error}"))
            return [fault] * len(parcels)

    def _give_up(self, batch: Sequence[_Pending], error: PaydispatchError) -> None:
        for pending in batch:
            pending.receipt.failed(error)
            self._failed.append(pending.receipt)
            self._undelivered.discard(pending.receipt)
        self._tell_idle()

    def _tell_idle(self) -> None:
        if not self._undelivered:
            with self._idle:
                self._idle.notify_all()


class _Pending:
    """A parcel on its way, its receipt, and until when (monotonic seconds) it is offered."""

    __slots__ = ("give_up_at", "parcel", "receipt")

    def __init__(self, parcel: Parcel, receipt: Receipt, give_up_at: float) -> None:
        self.parcel = parcel
        self.receipt = receipt
        self.give_up_at = give_up_at


def _credential(value: object) -> StripeKey | SecretRef:
    return value if isinstance(value, StripeKey | SecretRef) else StripeKey(value)
