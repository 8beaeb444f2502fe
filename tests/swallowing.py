"""An address that forwards to a server, and now and then swallows its answer although the work is done."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

from paydispatch.local.listening import listen_on_loopback, port_of

if TYPE_CHECKING:
    import random

_CHUNK = 1 << 16


class SwallowingAddress:
    """Forwards to the port `target` in a thread of its own; of the answers a `share` is swallowed."""

    def __init__(self, target: int, share: float, dice: random.Random) -> None:
        self._target = target
        self.share = share
        self._dice = dice
        self.swallowed = 0
        self._listener = listen_on_loopback()
        self.port = port_of(self._listener)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def open(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._forward, sock=self._listener)

    async def _hang_up(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _forward(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far, to_far = await asyncio.open_connection("127.0.0.1", self._target)
            ways = [
                asyncio.create_task(self._pump(near, to_far, lossy=False)),
                asyncio.create_task(self._pump(far, to_near, lossy=True)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            to_far.close()
        to_near.close()

    async def _pump(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, lossy: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(_CHUNK):
                if lossy and self._dice.random() < self.share:
                    self.swallowed += 1
                    return  # and with that the connection is closed
                to.write(chunk)
                await to.drain()
