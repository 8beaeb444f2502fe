"""What a dispatching program holds in its hand: local at once, durable when the queue has the request."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from paydispatch.domain.errors import PaydispatchError


class Receipt:
    """Two promises, one after the other.

    *Local*: the request is valid, sealed and in this process' buffer. It is lost if the process dies now.
    *Durable*: the queue has it; it will end in exactly one flow whatever happens here. `wait()` or `await` tell.
    """

    __slots__ = ("_durable", "context_id", "object", "request_id", "worker_id")

    def __init__(
        self, *, request_id: str, object_name: str, worker_id: str, context_id: str
    ) -> None:
        self.request_id = request_id
        """The request's identity. Over HTTP the door gives it: until durable, this is the idempotency key sent."""
        self.object = object_name
        self.worker_id = worker_id
        self.context_id = context_id
        self._durable: Future[None] = Future()

    @property
    def durable(self) -> bool:
        return self._durable.done() and self._durable.exception() is None

    @property
    def failure(self) -> BaseException | None:
        """Why it never became durable, once that is certain."""
        return self._durable.exception() if self._durable.done() else None

    def wait(self, timeout_s: float | None = None) -> Receipt:
        """Block until the queue has the request. Raises `TimeoutError`, or what kept it from the queue."""
        self._durable.result(timeout_s)
        return self

    def __await__(self) -> Generator[object, None, Receipt]:
        yield from asyncio.shield(asyncio.wrap_future(self._durable)).__await__()
        return self

    def __str__(self) -> str:
        where = "on the queue" if self.durable else "accepted here, on its way to the queue"
        if self.failure is not None:
            where = f"not delivered: {self.failure}"
        return f"{self.request_id} ({self.object} for {self.worker_id}, {self.context_id}): {where}"

    def __repr__(self) -> str:
        return f"<Receipt {self}>"

    def landed(self, request_id: str) -> None:
        """For the Dispatcher: the queue has it, under this identity."""
        self.request_id = request_id
        self._durable.set_result(None)

    def failed(self, error: PaydispatchError) -> None:
        """For the Dispatcher: it will not be tried again."""
        self._durable.set_exception(error)
