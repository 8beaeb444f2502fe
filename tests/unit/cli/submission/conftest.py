"""Submissions to a queue in memory, each in a folder of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paydispatch.cli.commands import submit
from paydispatch.compose.dispatcher import Dispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from pathlib import Path

    from paydispatch.domain.requests import OperationRequest
    from paydispatch.sdk.delivery import PreparedRequest


class Delivery(MemoryDelivery):
    """A delivery with a Ctrl-C at the request of the worker `ctrl-c`."""

    def prepare(self, request: OperationRequest) -> PreparedRequest:
        if request.worker_id == "ctrl-c":
            raise KeyboardInterrupt
        return super().prepare(request)


@pytest.fixture
def delivery(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryDelivery:
    """The delivery of every submission of a test. No Stripe key is in the environment."""
    delivery = Delivery()
    monkeypatch.setattr(submit, "_dispatcher", lambda _: Dispatcher(delivery))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STRIPE_SECRET_KEY", raising=False)
    return delivery
