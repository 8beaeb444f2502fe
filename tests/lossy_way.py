"""A proxy on loopback that can drop an answer after the server has done its work."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class LossyWay:
    def __init__(self, port: int) -> None:
        self._port = port
        self._server: asyncio.Server
        self._lose: bytes | None = None
        self._times = 0
        self._kept = 0
        self.lost = 0

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    def lose_answer_to(self, part: bytes, times: int = 1, *, kept_bytes: int = 0) -> None:
        """Let the next calls that contain `part` be carried out, and close their connections before the answer.

        With `kept_bytes` the answer is cut off after so many bytes.
        """
        self._lose, self._times, self._kept = part, times, kept_bytes

    async def _carry(self, caller: asyncio.StreamReader, to_caller: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        loses = asyncio.Event()
        calls = asyncio.create_task(self._carry_calls(caller, to_server, loses))
        try:
            while (answer := await server.read(1 << 20)) and not loses.is_set():
                to_caller.write(answer)
            to_caller.write(answer[: self._kept])
        except ConnectionError:
            pass  # one side has closed its connection
        finally:
            calls.cancel()
            to_server.close()
            to_caller.close()

    async def _carry_calls(
        self, caller: asyncio.StreamReader, to_server: asyncio.StreamWriter, loses: asyncio.Event
    ) -> None:
        with suppress(ConnectionError):
            while call := await caller.read(1 << 20):
                if self._times and self._lose is not None and self._lose in call:
                    self._times -= 1
                    self.lost += 1
                    loses.set()
                to_server.write(call)
        to_server.close()
