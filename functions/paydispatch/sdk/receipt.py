"""The receipt of a dispatched request: local at once, durable when the queue has the request."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

from paydispatch.domain.errors import MaybeAccepted, PaydispatchError
from paydispatch.sdk.outcome import outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from paydispatch.sdk.delivery import PreparedRequest
    from paydispatch.sdk.outcome import Outcome, OutcomeReader

    DeliveryResult = Literal[True] | PaydispatchError
    """True if durable, else the error. It is one value, so that no thread sees half of a result."""


class Receipt:
    """Two promises, one after the other.

    *Local*: the request is valid, sealed and in this process' buffer. It is lost if the process dies now.
    *Durable*: the queue has the request. It ends in exactly one flow, even if this process dies. `wait()` and `await`
    return when the receipt is durable.

    A request that does not become durable has a `failure`. If that is a `MaybeAccepted`, the queue may have the
    request. Repeat it with `Dispatcher.redispatch`, which keeps its identity. Any other error means that the request
    was not accepted.
    """

    __slots__ = (
        "_end",
        "_make_fingerprint",
        "_reader",
        "_waiting",
        "context_id",
        "object",
        "operation",
        "prepared",
        "request_id",
        "worker_id",
    )

    def __init__(
        self,
        *,
        request_id: str,
        operation: str,
        object_name: str,
        worker_id: str,
        context_id: str,
        reader: OutcomeReader | None = None,
        make_fingerprint: Callable[[], str] | None = None,
    ) -> None:
        """`reader` reads outcomes, and `make_fingerprint` is that of the prepared request."""
        self.request_id = request_id
        """The request's identity. Over HTTP the API makes that of a request with an idempotency key. Until the receipt
        is durable, this is the key."""
        self.operation = operation
        """The operation that was requested: `create_payment_intent`."""
        self.object = object_name
        self.worker_id = worker_id
        self.context_id = context_id
        self._reader = reader
        self._make_fingerprint = make_fingerprint
        self._end: DeliveryResult | None = None
        self._waiting: list[Future[DeliveryResult]] = []
        self.prepared: PreparedRequest | None = None
        """For the Dispatcher: the message of a failed request, for a repeat. It is never shown."""

    @property
    def durable(self) -> bool:
        return self._end is True

    @property
    def failure(self) -> PaydispatchError | None:
        """The error, after the Dispatcher has given the request up. None: there is none so far."""
        return self._end if isinstance(self._end, PaydispatchError) else None

    def wait(self, timeout_s: float | None = None) -> Receipt:
        """Block until the queue has the request. Raises `TimeoutError`, or the request's `failure`.

        Without `timeout_s` it blocks at most until the Dispatcher gives the request up or is closed.
        """
        end = self._end
        if end is None:
            with self._until_it_ends() as future:
                end = future.result(timeout_s)
        return self._return_or_raise(end)

    def __await__(self) -> Generator[object, None, Receipt]:
        end = self._end
        if end is None:
            with self._until_it_ends() as future:
                end = yield from asyncio.wrap_future(future).__await__()
        return self._return_or_raise(end)

    def outcome(self, timeout_s: float) -> Outcome:
        """Wait for Stripe's answer to this request. In a coroutine await it: `await receipt.outcome(10)`.

            outcome = receipt.outcome(timeout_s=10)
            if outcome.status == "succeeded":
                show(outcome.parsed_data)

        This is a look at the outcome and no promise: the request goes on after the timeout, and its flow runs however
        this ends. It returns as soon as the outcome is settled. When the time is over, it returns an outcome that is
        `unknown`, or raises `TimeoutError`.

        Raises the receipt's `failure`, `IdempotencyKeyReused` if the idempotency key stands for another request, and
        `BadSetting` if the Dispatcher was given no way to read outcomes.
        """
        return outcome_of(self, self._reader, timeout_s)

    @property
    def fingerprint(self) -> str | None:
        """The hash of the request, if an idempotency key could stand for another one. It is computed when asked for."""
        return None if self._make_fingerprint is None else self._make_fingerprint()

    def _return_or_raise(self, end: DeliveryResult) -> Receipt:
        if end is not True:
            raise end
        return self

    @contextmanager
    def _until_it_ends(self) -> Iterator[Future[DeliveryResult]]:
        """Yield a new future for this wait. A receipt has none itself, because most programs wait for few receipts."""
        future: Future[DeliveryResult] = Future()
        waiting = self._waiting
        waiting.append(future)
        if self._end is not None:  # maybe before the future was appended
            _wake(future, self._end)
        try:
            yield future
        finally:
            waiting.remove(future)

    def __str__(self) -> str:
        return f"{self.request_id} ({self.operation} for {self.worker_id}, {self.context_id}): {self._where()}"

    def _where(self) -> str:
        failure = self.failure
        if failure is None:
            return "on the queue" if self.durable else "accepted here, on its way to the queue"
        if isinstance(failure, MaybeAccepted):
            return f"it may be on the queue: {failure}"
        return f"not delivered: {failure}"

    def __repr__(self) -> str:
        return f"<Receipt {self}>"

    def mark_durable(self, request_id: str) -> None:
        """For the Dispatcher: write down that the queue has the request under this identity."""
        self.request_id = request_id
        self._set_result(True)

    def mark_failed(self, error: PaydispatchError, prepared: PreparedRequest | None = None) -> None:
        """For the Dispatcher: give the request up. `prepared` is kept, so that the same request can be repeated."""
        self.prepared = prepared
        self._set_result(error)

    def reopen(self) -> None:
        """For the Dispatcher: remove the failure of a request that is sent again, so that a program can wait for it."""
        self.prepared = None
        self._end = None

    def leave_behind(self, error: PaydispatchError) -> None:
        """For a forked process: end this copy of the receipt, because the parent goes on with the request."""
        self._waiting = []  # threads of the parent wait there, and may hold locks
        self.mark_failed(error)

    def _set_result(self, end: DeliveryResult) -> None:
        """Set the result before the futures: a thread that begins to wait meanwhile reads the result afterwards."""
        self._end = end
        for future in tuple(self._waiting):
            _wake(future, end)


def _wake(future: Future[DeliveryResult], end: DeliveryResult) -> None:
    with suppress(InvalidStateError):  # cancelled by its waiter, or woken already
        future.set_result(end)
