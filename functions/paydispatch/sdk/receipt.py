"""What a dispatching program holds in its hand: local at once, durable when the queue has the request."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Literal

from paydispatch.domain.errors import MaybeAccepted, PaydispatchError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from paydispatch.sdk.delivery import PreparedRequest

    DeliveryResult = Literal[True] | PaydispatchError
    """Durable, or why it was given up. One value, so that a thread never sees half of an end."""


class Receipt:
    """Two promises, one after the other.

    *Local*: the request is valid, sealed and in this process' buffer. It is lost if the process dies now.
    *Durable*: the queue has it; it will end in exactly one flow whatever happens here. `wait()` or `await` tell.

    A request that does not become durable has a `failure`. A `MaybeAccepted` there says that the queue may have it all
    the same: repeat it with `Dispatcher.redispatch`, which keeps its identity. Any other says that it was not accepted.
    """

    __slots__ = (
        "_end",
        "_waiting",
        "context_id",
        "object",
        "prepared",
        "request_id",
        "worker_id",
    )

    def __init__(
        self, *, request_id: str, object_name: str, worker_id: str, context_id: str
    ) -> None:
        self.request_id = request_id
        """The request's identity. Over HTTP the API gives it: until durable, this is the idempotency key sent."""
        self.object = object_name
        self.worker_id = worker_id
        self.context_id = context_id
        self._end: DeliveryResult | None = None
        self._waiting: list[Future[DeliveryResult]] = []
        self.prepared: PreparedRequest | None = None
        """For the Dispatcher: what it needs to repeat a request that failed. It is never shown."""

    @property
    def durable(self) -> bool:
        return self._end is True

    @property
    def failure(self) -> PaydispatchError | None:
        """Why it did not become durable, once the Dispatcher has given it up."""
        return self._end if isinstance(self._end, PaydispatchError) else None

    def wait(self, timeout_s: float | None = None) -> Receipt:
        """Block until the queue has the request. Raises `TimeoutError`, or what kept it from the queue.

        Without `timeout_s` it ends at the latest when the Dispatcher gives the request up or is closed.
        """
        end = self._end
        if end is None:
            with self._until_it_ends() as future:
                end = future.result(timeout_s)
        return self._told(end)

    def __await__(self) -> Generator[object, None, Receipt]:
        end = self._end
        if end is None:
            with self._until_it_ends() as future:
                end = yield from asyncio.wrap_future(future).__await__()
        return self._told(end)

    def _told(self, end: DeliveryResult) -> Receipt:
        if end is not True:
            raise end
        return self

    @contextmanager
    def _until_it_ends(self) -> Iterator[Future[DeliveryResult]]:
        """Yield a future of the caller's own. A receipt has none, because most are never waited for."""
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
        return f"{self.request_id} ({self.object} for {self.worker_id}, {self.context_id}): {self._where()}"

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
        """For the Dispatcher: the queue has it, under this identity."""
        self.request_id = request_id
        self._end_with(True)

    def mark_failed(self, error: PaydispatchError, prepared: PreparedRequest | None = None) -> None:
        """For the Dispatcher: it is given up. `prepared` is kept, so that the same request can be repeated."""
        self.prepared = prepared
        self._end_with(error)

    def reopen(self) -> None:
        """For the Dispatcher: it is offered again, and can be waited for again."""
        self.prepared = None
        self._end = None

    def leave_behind(self, error: PaydispatchError) -> None:
        """For a forked process: the parent carries the request on, so this copy of the receipt ends here."""
        self._waiting = []  # threads of the parent wait there, and may hold locks
        self.mark_failed(error)

    def _end_with(self, end: DeliveryResult) -> None:
        """Set the end first, because a thread that begins to wait in between looks at it afterwards."""
        self._end = end
        for future in tuple(self._waiting):
            _wake(future, end)


def _wake(future: Future[DeliveryResult], end: DeliveryResult) -> None:
    with suppress(InvalidStateError):  # cancelled by its waiter, or woken already
        future.set_result(end)
