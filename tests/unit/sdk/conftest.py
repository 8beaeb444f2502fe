"""Deliveries to a queue in memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paydispatch.domain.errors import PaydispatchError
    from paydispatch.sdk.delivery import PreparedRequest


class StuckDelivery(MemoryDelivery):
    """A delivery that takes no request until `release` is called."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()
        self._released = threading.Event()

    def release(self) -> None:
        self._released.set()

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        self.reached.set()
        assert self._released.wait(10)
        return super().deliver(prepared_requests)


@pytest.fixture
def delivery() -> MemoryDelivery:
    return MemoryDelivery()


@pytest.fixture
def stuck() -> Iterator[StuckDelivery]:
    stuck = StuckDelivery()
    yield stuck
    stuck.release()
