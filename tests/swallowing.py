"""An address that forwards to a server and sometimes drops the answer, although the work is done."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tests.swapped_address import CHUNK, SwappedAddress

if TYPE_CHECKING:
    import asyncio
    import random


class SwallowingAddress(SwappedAddress):
    """Drops a `share` of the answers and closes their connections."""

    def __init__(self, target: int, share: float, dice: random.Random) -> None:
        super().__init__(target)
        self.share = share
        self._dice = dice
        self.swallowed = 0

    async def _pump_answers(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(CHUNK):
                if self._dice.random() < self.share:
                    self.swallowed += 1
                    return
                to.write(chunk)
                await to.drain()
