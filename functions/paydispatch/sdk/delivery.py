"""The Dispatcher's way to the queue, as a port: over SQS or over the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.errors import PaydispatchError
    from paydispatch.domain.requests import CreateRequest, Lane


@dataclass(frozen=True, slots=True, repr=False)
class PreparedRequest:
    """One request, ready to be sent. Over HTTP its text holds the key: it is never shown."""

    request_id: str
    text: str
    lane: Lane
    way: str
    """The `way` of the delivery that prepared it. No other may send it: over SQS a text must not hold the key."""


class Delivery(Protocol):
    way: str
    """`sqs` or `http`."""

    batch_limit: int
    """PreparedRequests one `deliver` takes."""

    def open(self) -> None:
        """Make clients and connect; called again after `close` or `forget_clients`. Raises `Unavailable`."""
        ...

    def prepare(self, request: CreateRequest) -> PreparedRequest:
        """Check and seal, without any I/O. Raises `BadRequest`."""
        ...

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        """Return for each prepared the id under which it is durable, or why it is not.

        An `Unavailable` may be tried again. A `MaybeAccepted` has to be, because the answer was lost.
        """
        ...

    def upkeep(self) -> None:
        """Called from time to time, so that `prepare` never has to fetch anything. Never raises."""
        ...

    def close(self) -> None:
        """Disconnect, also while a `deliver` hangs in another thread: what comes of that is ignored."""
        ...

    def forget_clients(self) -> None:
        """Let go of all clients of the parent, in a forked process, and leave their connections alone."""
        ...
