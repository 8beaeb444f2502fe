"""The Dispatcher, which lets `create_async` return at once.

It plays the part of an async runtime. `create_async` puts a request into its buffer and returns, and its thread sends
batches to the queue. The buffer is bounded, and no request is dropped silently. The end of its `with` block waits until
all requests are durable, or raises.

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
from paydispatch.domain.parameters.plain_values import take_params
from paydispatch.domain.requests import OperationRequest, parse_lane
from paydispatch.domain.stripe.operations import operation_named, require_operations
from paydispatch.domain.trace_context import read_traceparent
from paydispatch.sdk.open_telemetry import current_traceparent
from paydispatch.sdk.param_warnings import ParamWarnings
from paydispatch.sdk.process import Living, do_not_run_at_exit, run_at_exit
from paydispatch.sdk.receipt import Receipt
from paydispatch.sdk.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from paydispatch.domain.requests import LaneName
    from paydispatch.sdk.delivery import Delivery
    from paydispatch.sdk.outcome import OutcomeReader

__all__ = ["Dispatcher", "Receipt"]

BUFFER_SIZE = 10_000
DELIVERY_TIMEOUT_S = 60.0

_block: ContextVar[Dispatcher] = ContextVar("paydispatch_dispatcher")
_living: Living[Dispatcher] = Living()


class Dispatcher:
    """Sends requests to the queue in the background. Use it as a context manager, sync or async.

    A forked process gets its own buffer, thread and clients at its first create. A program that ends without `close`
    flushes at exit, within the delivery timeout.
    """

    def __init__(
        self,
        delivery: Delivery,
        *,
        buffer_size: int = BUFFER_SIZE,
        delivery_timeout_s: float = DELIVERY_TIMEOUT_S,
        warm: Iterable[str] = (),
        outcomes: OutcomeReader | None = None,
    ) -> None:
        """`delivery_timeout_s` limits the time in which a request is sent again while the queue is unreachable.

        `warm` names operations: `["capture_payment_intent"]`. `start` compiles their schemas, so that the first request
        of each costs what the second costs. Raises `UnknownOperation`. `outcomes` reads them for `Receipt.outcome`.
        """
        self._delivery = delivery
        self._outcomes = outcomes
        self._buffer_size = buffer_size
        self._delivery_timeout_s = delivery_timeout_s
        self._warm = require_operations(warm)
        self._lock = threading.Lock()
        self._running = False
        self._sender: Sender | None = None
        self._tokens: list[Token[Dispatcher]] = []
        self._param_warnings = ParamWarnings()
        _living.add(self)

    @classmethod
    def current(cls) -> Dispatcher:
        """Return the Dispatcher of the innermost `with` block around the caller, else the only one that runs.

        A context variable holds the block's Dispatcher. Other threads do not see it, and neither do a web server's
        requests if the server's lifespan holds the block. For them it is the one Dispatcher of this process that was
        started and not closed. Raises `NoDispatcher` if there is none, or if several run and the caller must pass one.
        """
        around = _block.get(None)
        running = _living.running if around is None else (around,)
        if len(running) != 1 or not running[0].running:
            raise NoDispatcher(running=len(running))
        return running[0]

    @property
    def running(self) -> bool:
        """True from `start` to `close`."""
        return self._running

    def start(self) -> Self:
        """Connect, compile the schemas of `warm` and start the thread.

        Raises `Unavailable` if the sealing key cannot be reached.
        """
        with self._lock:
            if not self._running:
                self._begin()
                self._running = True
                _living.mark_running(self)
        return self

    def close(self, timeout_s: float | None = None) -> None:
        """Accept no more requests, flush, stop the thread and disconnect, within `timeout_s`.

        Raises `NotDelivered` with the requests that are not durable then. It stops the thread before it raises, so a
        request is `refused` only if it can no longer arrive. A request without an answer by then is `unknown`.
        """
        with self._lock:
            self._running = False
            _living.mark_closed(self)
            sender = self._sender
        if sender is None:
            return
        try:
            sender.stop(self._within(timeout_s))
        finally:
            self._forget_sender(sender)

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every receipt is durable. Raises `NotDelivered` with those that are not, after `timeout_s`."""
        sender = self._sender
        if sender is not None:
            sender.flush(self._within(timeout_s))

    def redispatch(self, receipt: Receipt) -> Receipt:
        """Send a failed request again: the same message, with the same identity. Return its receipt.

        The program can wait for the receipt again. A receipt that is durable or still on its way does not change. A
        Dispatcher that was started later can do this too, if it sends to the same queue or API. Raises `NoDispatcher`
        and `BufferFull`.
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
        operation: str,
        params: Mapping[str, Any],
        worker_id: str,
        context_id: str,
        stripe_secret: str | StripeKey | SecretRef,
        *,
        path: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        lane: LaneName = "interactive",
        deadline_s: float | None = None,
        stripe_account: str | None = None,
        stripe_context: str | None = None,
        unchecked_params: Mapping[str, Any] | None = None,
        traceparent: str | None = None,
    ) -> Receipt:
        """Check, seal and buffer one request, without any I/O. `create_async` and `call_async` call this method.

        `operation` is a name such as `capture_payment_intent`. `path` has the ids in its path, by name. The request
        holds copies of `params` and `unchecked_params` in plain JSON values.

        Raises a `BadRequest` for an invalid request, `BufferFull`, or `NoDispatcher` if this Dispatcher is not running.
        """
        return self.submit_request(
            OperationRequest(
                operation=operation_named(operation),
                path={} if path is None else take_params(path),
                params=take_params(params),
                unchecked_params={} if unchecked_params is None else take_params(unchecked_params),
                worker_id=worker_id,
                context_id=context_id,
                credential=_credential(stripe_secret),
                lane=parse_lane(lane),
                deadline_s=deadline_s,
                stripe_account=stripe_account,
                stripe_context=stripe_context,
                idempotency_key=idempotency_key,
                traceparent=read_traceparent(traceparent) or current_traceparent(),
            )
        )

    def submit_request(self, request: OperationRequest) -> Receipt:
        """Do the same as `submit` for a request object."""
        sender = self._sender
        if sender is None or sender.closing:
            sender = self._current_sender()
        sender.check_room()
        prepared = self._delivery.prepare(request)
        receipt = Receipt(
            request_id=prepared.request_id,
            operation=request.operation.name,
            object_name=request.operation.object,
            worker_id=request.worker_id,
            context_id=request.context_id,
            reader=self._outcomes,
            make_fingerprint=prepared.make_fingerprint,
        )
        sender.put(prepared, receipt)
        if prepared.warnings:
            self._param_warnings.log(receipt, prepared.warnings)
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
            error.add_note(
                str(left)
            )  # because the block's own error must still be the one that is raised

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
        # A lifespan may end in another context than it began in, and in that one the variable was never set.
        with suppress(ValueError):
            _block.reset(self._tokens.pop())

    def _current_sender(self) -> Sender:
        """Return the Sender of this process. The first create of a forked process starts it, and connects."""
        with self._lock:
            if not self._running:
                raise NoDispatcher
            return self._sender or self._begin()

    def _begin(self) -> Sender:
        """Connect and start a Sender. Raises `Unavailable`."""
        self._delivery.open()
        self._delivery.warm(self._warm)
        sender = Sender(
            self._delivery,
            buffer_size=self._buffer_size,
            delivery_timeout_s=self._delivery_timeout_s,
        )
        sender.start()
        self._sender = sender
        run_at_exit(self._close_at_exit)
        return sender

    def _forget_sender(self, sender: Sender) -> None:
        with self._lock:
            if self._sender is sender:
                self._sender = None
                self._delivery.close()
                do_not_run_at_exit(self._close_at_exit)

    def _close_at_exit(self) -> None:
        with suppress(NotDelivered):  # the Sender has logged each request that is left
            self.close()

    def reset_after_fork(self) -> None:
        """Reset the copy in a forked process: it has no thread, its locks may be locked, and its clients are shared."""
        self._lock = threading.Lock()
        sender, self._sender = self._sender, None
        self._delivery.forget_clients()
        for receipt in sender.undelivered_receipts() if sender else ():
            receipt.leave_behind(OtherProcess(os.getppid()))

    def _within(self, timeout_s: float | None) -> float:
        return self._delivery_timeout_s if timeout_s is None else timeout_s


def _credential(value: object) -> StripeKey | SecretRef:
    return value if isinstance(value, StripeKey | SecretRef) else StripeKey(value)
