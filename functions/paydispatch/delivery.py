"""The Dispatcher's way to the queue, as a port: over SQS or over the HTTP API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.errors import PaydispatchError
    from paydispatch.domain.requests import CreateRequest, Lane


@dataclass(frozen=True, slots=True, repr=False)
class Parcel:
    """One request, ready to be sent. Over HTTP its text holds the key: it is never shown."""

    request_id: str
    text: str
    lane: Lane


class Delivery(Protocol):
    batch_limit: int
    """Parcels one `deliver` takes."""

    def open(self) -> None:
        """Connect. Raises `Unavailable`."""
        ...

    def prepare(self, request: CreateRequest) -> Parcel:
        """Check and seal, without any I/O. Raises `BadRequest`."""
        ...

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[str | PaydispatchError]:
        """For each parcel the id under which it is durable, or why it is not; `Unavailable` may be tried again."""
        ...

    def upkeep(self) -> None:
        """Called from time to time, so that `prepare` never has to fetch anything. Never raises."""
        ...

    def close(self) -> None: ...
