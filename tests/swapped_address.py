"""One address on loopback for changing servers. An open connection stays with the server that it was made to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

from paydispatch.local.listening import listen_on_loopback, port_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

CHUNK = 1 << 16


class SwappedAddress:
    """Forwards each new connection to the port in `target`, in a thread of its own."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.connections = 0
        """The number of connections made through this address."""
        self._listener = listen_on_loopback()
        self.port = port_of(self._listener)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def open(self) -> None:
        self._thread.start()
        self._run(self._listen())

    def close(self) -> None:
        """Close every connection."""
        self._run(self._hang_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._forward, sock=self._listener)

    async def _hang_up(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _forward(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            far, to_far = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            to_near.close()
            return
        ways = [
            asyncio.create_task(way)
            for way in (pump(near, to_far), self._pump_answers(far, to_near))
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            to_near.close()
            to_far.close()

    async def _pump_answers(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        await pump(source, to)


async def pump(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(CHUNK):
            to.write(chunk)
            await to.drain()
