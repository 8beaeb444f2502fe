"""What a dispatching program holds in its hand: local at once, durable when the queue has the request."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING

from paydispatch.domain.errors import MaybeAccepted

if TYPE_CHECKING:
    from collections.abc import Generator

    from paydispatch.delivery import Parcel
    from paydispatch.domain.errors import PaydispatchError


class Receipt:
    """Two promises, one after the other.

    *Local*: the request is valid, sealed and in this process' buffer. It is lost if the process dies now.
    *Durable*: the queue has it; it will end in exactly one flow whatever happens here. `wait()` or `await` tell.

    A request that does not become durable has a `failure`. A `MaybeAccepted` there says that the queue may have it all
    the same: repeat it with `Dispatcher.redispatch`, which keeps its identity. Any other says that it was not accepted.
    """

    __slots__ = (
        "_durable",
        "_ended",
        "_failure",
        "context_id",
        "object",
        "parcel",
        "request_id",
        "worker_id",
    )

    def __init__(
        self, *, request_id: str, object_name: str, worker_id: str, context_id: str
    ) -> None:
        self.request_id = request_id
        """The request's identity. Over HTTP the door gives it: until durable, this is the idempotency key sent."""
        self.object = object_name
        self.worker_id = worker_id
        self.context_id = context_id
        self._ended = False
        self._failure: PaydispatchError | None = None
        self._durable: Future[None] = Future()
        self.parcel: Parcel | None = None
        """For the Dispatcher: what it needs to repeat a request that failed. It is never shown."""

    @property
    def durable(self) -> bool:
        return self._ended and self._failure is None

    @property
    def failure(self) -> PaydispatchError | None:
        """Why it did not become durable, once the Dispatcher has given it up."""
        return self._failure

    def wait(self, timeout_s: float | None = None) -> Receipt:
        """Block until the queue has the request. Raises `TimeoutError`, or what kept it from the queue.

        Without `timeout_s` it ends at the latest when the Dispatcher gives the request up or is closed.
        """
        # What has ended is answered without the future's lock: a fork may have left it locked.
        if not self._ended:
            self._durable.result(timeout_s)
        if self._failure is not None:
            raise self._failure
        return self

    def __await__(self) -> Generator[object, None, Receipt]:
        if not self._ended:
            yield from asyncio.shield(asyncio.wrap_future(self._durable)).__await__()
        return self.wait(0)

    def __str__(self) -> str:
        return f"{self.request_id} ({self.object} for {self.worker_id}, {self.context_id}): {self._where()}"

    def _where(self) -> str:
        if self._failure is None:
            return "on the queue" if self._ended else "accepted here, on its way to the queue"
        if isinstance(self._failure, MaybeAccepted):
            return f"it may be on the queue: {self._failure}"
        return f"not delivered: {self._failure}"

    def __repr__(self) -> str:
        return f"<Receipt {self}>"

    def landed(self, request_id: str) -> None:
        """For the Dispatcher: the queue has it, under this identity."""
        self.request_id = request_id
        self._ended = True
        self._durable.set_result(None)

    def failed(self, error: PaydispatchError, parcel: Parcel | None = None) -> None:
        """For the Dispatcher: it is given up. `parcel` is kept, so that the same request can be repeated."""
        self.parcel = parcel
        self._failure = error
        self._ended = True
        self._durable.set_exception(error)

    def reopen(self) -> None:
        """For the Dispatcher: it is offered again, and can be waited for again."""
        self.parcel = None
        self._durable, self._ended, self._failure = Future(), False, None

    def leave_behind(self, error: PaydispatchError) -> None:
        """For a forked process: the parent carries the request on, so this copy of the receipt ends here."""
        self._durable = Future()  # a thread of the parent may hold the lock of the old one
        self.failed(error)
