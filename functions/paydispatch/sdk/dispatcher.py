"""The Dispatcher: what makes `create_async` return at once.

It plays the part an async runtime plays: `create_async` hands a request over and goes on; a thread of the
Dispatcher's own carries batches to the queue. Its buffer is bounded, nothing is dropped silently, and leaving its
`with` block means that everything is durable, or raises.

    with Dispatcher.from_env():
        receipt = new_product().name("Tea").create_async("worker-1", "context-1", "sk_test_...")
"""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Self

from paydispatch.domain.credentials import SecretRef, StripeKey
from paydispatch.domain.errors import (
    MaybeAccepted,
    NoDispatcher,
    NotDelivered,
    OtherProcess,
    PaydispatchError,
)
from paydispatch.domain.requests import CreateRequest, parse_lane
from paydispatch.sdk.process import Living, do_not_run_at_exit, run_at_exit
from paydispatch.sdk.receipt import Receipt
from paydispatch.sdk.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from paydispatch.sdk.delivery import Delivery

__all__ = ["Dispatcher", "Receipt"]

BUFFER_SIZE = 10_000
DELIVERY_TIMEOUT_S = 60.0

_block: ContextVar[Dispatcher] = ContextVar("paydispatch_dispatcher")
_living: Living[Dispatcher] = Living()


class Dispatcher:
    """Carries requests to the queue in the background. Use it as a context manager, sync or async.

    A forked process gets a buffer, a thread and clients of its own at its first create. A program that ends without
    `close` flushes at exit, within the delivery timeout.
    """

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
        self._lock = threading.Lock()
        self._running = False
        self._sender: Sender | None = None
        self._tokens: list[Token[Dispatcher]] = []
        _living.add(self)

    @classmethod
    def current(cls) -> Dispatcher:
        """Return the Dispatcher of the innermost `with` block around the caller, else the only one that runs.

        The block is found through a context variable. Threads, and the requests of a web server whose lifespan holds
        the block, do not see it: for them it is the one Dispatcher of this process that was started and not closed.
        Raises `NoDispatcher` if there is none, or if several run and the caller has to say which it means.
        """
        around = _block.get(None)
        running = _living.running if around is None else (around,)
        if len(running) != 1 or not running[0].running:
            raise NoDispatcher(running=len(running))
        return running[0]

    @property
    def running(self) -> bool:
        """Whether it was started and not closed."""
        return self._running

    def start(self) -> Self:
        """Connect and start the thread. Raises `Unavailable` when the sealing key cannot be reached."""
        with self._lock:
            if not self._running:
                self._begin()
                self._running = True
                _living.began(self)
        return self

    def close(self, timeout_s: float | None = None) -> None:
        """Take nothing more, flush, stop the thread and disconnect, within `timeout_s`.

        Raises `NotDelivered` for what is not durable then. The thread has stopped before that is said, so a request is
        `refused` only if it cannot arrive any more. One whose answer has not come by then is `unknown`.
        """
        with self._lock:
            self._running = False
            _living.ended(self)
            sender = self._sender
        if sender is None:
            return
        try:
            sender.stop(self._within(timeout_s))
        finally:
            self._let_go(sender)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every receipt is durable. Raises `NotDelivered` naming those that are not in time."""
        sender = self._sender
        if sender is not None:
            sender.flush(self._within(timeout_s))

    def redispatch(self, receipt: Receipt) -> Receipt:
        """Offer a request again that failed: the same message, under the same identity. Returns its receipt.

        The receipt can be waited for again. One that is durable or still on its way is left as it is. A Dispatcher that
        was started later may do it, too, if it goes to the same queue or API. Raises `NoDispatcher` and `BufferFull`.
        """
        sender = self._current_sender()
        with self._lock:
            failure, prepared = receipt.failure, receipt.prepared
            if failure is None:
                return receipt
            if prepared is None:
                raise failure
            if prepared.way != self._delivery.way:
                raise PaydispatchError(
                    f"The request was prepared for {prepared.way}, and this Dispatcher uses {self._delivery.way}."
                )
            sender.check_room()
            receipt.reopen()
        sender.put(prepared, receipt, in_doubt=isinstance(failure, MaybeAccepted))
        return receipt

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
        sender = self._sender
        if sender is None or sender.closing:
            sender = self._current_sender()
        sender.check_room()
        prepared = self._delivery.prepare(request)
        receipt = Receipt(
            request_id=prepared.request_id,
            object_name=request.object,
            worker_id=request.worker_id,
            context_id=request.context_id,
        )
        sender.put(prepared, receipt)
        return receipt

    def __enter__(self) -> Self:
        self.start()
        self._tokens.append(_block.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._leave_block()
        try:
            self.close()
        except NotDelivered as left:
            if error is None:
                raise
            error.add_note(str(left))  # the block's own error stays the one that is raised

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        self._tokens.append(_block.set(self))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._leave_block()
        try:
            await asyncio.to_thread(self.close)
        except NotDelivered as left:
            if error is None:
                raise
            error.add_note(str(left))

    def _leave_block(self) -> None:
        # A lifespan may be left in another context than it was entered in, which never saw it.
        with suppress(ValueError):
            _block.reset(self._tokens.pop())

    def _current_sender(self) -> Sender:
        """Return the Sender of this process. The first create of a forked one begins it, and connects."""
        with self._lock:
            if not self._running:
                raise NoDispatcher
            return self._sender or self._begin()

    def _begin(self) -> Sender:
        """Raises `Unavailable`."""
        self._delivery.open()
        sender = Sender(
            self._delivery,
            buffer_size=self._buffer_size,
            delivery_timeout_s=self._delivery_timeout_s,
        )
        sender.start()
        self._sender = sender
        run_at_exit(self._close_at_exit)
        return sender

    def _let_go(self, sender: Sender) -> None:
        with self._lock:
            if self._sender is sender:
                self._sender = None
                self._delivery.close()
                do_not_run_at_exit(self._close_at_exit)

    def _close_at_exit(self) -> None:
        with suppress(NotDelivered):  # the Sender has logged each request that is left
            self.close()

    def begin_anew_after_fork(self) -> None:
        """In the child: the thread is gone, its locks may be locked, and the clients are the parent's."""
        self._lock = threading.Lock()
        sender, self._sender = self._sender, None
        self._delivery.forget_clients()
        for receipt in sender.on_their_way() if sender else ():
            receipt.leave_behind(OtherProcess(os.getppid()))

    def _within(self, timeout_s: float | None) -> float:
        return self._delivery_timeout_s if timeout_s is None else timeout_s


def _credential(value: object) -> StripeKey | SecretRef:
    return value if isinstance(value, StripeKey | SecretRef) else StripeKey(value)
