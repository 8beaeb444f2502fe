"""The Dispatcher's way to the queue, as a port: over SQS or over the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from paydispatch.domain.errors import PaydispatchError
    from paydispatch.domain.parameters.verdict import ParamWarning
    from paydispatch.domain.requests import Lane, OperationRequest


@dataclass(frozen=True, slots=True, repr=False)
class PreparedRequest:
    """One request, ready to be sent. Its text is never shown, because over HTTP it holds the key."""

    request_id: str
    text: str
    lane: Lane
    way: str
    """The `way` of the delivery that prepared it. No other may send it: a text for SQS must not hold the key."""
    warnings: tuple[ParamWarning, ...] = ()
    """For parameters that Stripe's version of today is not known to have."""
    group: str | None = None
    """The message group (`groups`). Over HTTP the API finds it out."""
    make_fingerprint: Callable[[], str] | None = None
    """Computes the fingerprint, by which a program that waits recognizes its own outcome. None: no key can stand for
    another request, because the id is random or the API has compared."""


class Delivery(Protocol):
    """The way of a Dispatcher to the queue."""

    way: str
    """`sqs` or `http`."""

    batch_limit: int
    """The largest number of requests for one `deliver`."""

    def open(self) -> None:
        """Make clients and connect. It is called again after `close` or `forget_clients`. Raises `Unavailable`."""
        ...

    def prepare(self, request: OperationRequest) -> PreparedRequest:
        """Check a request and seal its key, without any I/O. Raises `BadRequest`."""
        ...

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        """Send requests. Return for each the id under which it is durable, or the error.

        After an `Unavailable` a request may be sent again. After a `MaybeAccepted` it must be, because the answer was
        lost.
        """
        ...

    def warm(self, operations: Collection[str]) -> None:
        """Compile what `prepare` needs for these operations, so that the first request of each is quick too."""
        ...

    def upkeep(self) -> None:
        """Renew data keys and the like, so that `prepare` never fetches any. Called regularly. Never raises."""
        ...

    def close(self) -> None:
        """Disconnect, even while a `deliver` hangs in another thread. The result of that call is ignored."""
        ...

    def forget_clients(self) -> None:
        """In a forked process, forget the parent's clients without closing their connections."""
        ...
