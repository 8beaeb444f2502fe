"""Run the look that a message of the look queue asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydispatch.domain.looks.messages import LookMessage
    from paydispatch.services.reconcile import Reconciler


class Looks:
    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler

    async def look(self, message: LookMessage, *, until: float) -> None:
        del message  # every unknown request is looked up
        await self._reconciler.reconcile(until=until)
