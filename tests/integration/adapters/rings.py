"""Waits for a doorbell on Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydispatch.ports import DoorbellListener


async def next_ring(listener: DoorbellListener) -> str | None:
    """Listen until a bell rings. The first calls may read the server's answer to the subscription."""
    for _ in range(20):
        if worker := await listener.next(0.5):
            return worker
    return None
