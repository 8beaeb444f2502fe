"""`Recent` through the operator's command `requests`, for a stack with a private Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from paydispatch.domain.operators.recent import page_of_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.console.sources import Operate
    from paydispatch.domain.operators.recent import Page


class OperatedRecent:
    def __init__(self, operate: Operate) -> None:
        self._operate = operate

    async def read(self, places: Mapping[str, str]) -> Page:
        """Read in a thread, because a command blocks. Raises `PaydispatchError`."""
        given = {"places": dict(places)}
        return page_of_document(await asyncio.to_thread(self._operate, "requests", given))
