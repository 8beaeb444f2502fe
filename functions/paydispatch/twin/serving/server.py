"""Serves the twin over HTTP/1.1 on one event loop."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from paydispatch.domain.web.web_pages import refuse_web_page
from paydispatch.twin.serving.control import PREFIX, Control
from paydispatch.twin.serving.deliveries import deliver_events
from paydispatch.twin.wire.calls import Answer, Call, Ending
from paydispatch.twin.wire.errors import api_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from paydispatch.twin.twin import StripeTwin
    from paydispatch.twin.wire.exchange import Exchange

_NO_LINGER = struct.pack("ii", 1, 0)
_STOP_WITHIN_S = 0.5
_LOOK_EVERY_S = 0.05

log = logging.getLogger(__name__)


@asynccontextmanager
async def serve(twin: StripeTwin, listener: socket.socket) -> AsyncIterator[str]:
    """Serve on `listener` while the block runs, and yield the base URL."""
    runner = web.ServerRunner(
        web.Server(TwinServer(twin).answer, access_log=None), shutdown_timeout=_STOP_WITHIN_S
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=1024).start()
        host, port = listener.getsockname()[:2]
        async with deliver_events(twin):
            yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


class TwinServer:
    """The HTTP handler: passes a call to the twin, waits for its latency, and sends the answer or applies the fault."""

    def __init__(self, twin: StripeTwin) -> None:
        self._twin = twin
        self._control = Control(twin)

    async def answer(self, http: web.BaseRequest) -> web.StreamResponse:
        call = await _call(http)
        if call.path.startswith(PREFIX):
            return self._answer_control(call)
        try:
            exchange = self._twin.receive(call)
        except Exception:
            log.exception("the twin itself failed on %s %s", call.method, call.path)
            return _response(Answer(500, api_error(500).body("req_twin_bug")))
        await self._latency(exchange)
        return await self._end(http, exchange)

    def _answer_control(self, call: Call) -> web.Response:
        """Answer a control request. Refuses web pages, because the control API needs no key."""
        refusal = refuse_web_page(call.headers)
        if refusal is not None:
            return web.Response(
                status=refusal.status, body=refusal.body(), content_type="application/json"
            )
        return _response(self._control.answer(call))

    async def _latency(self, exchange: Exchange) -> None:
        try:
            if exchange.delay_ms > 0:
                await asyncio.sleep(exchange.delay_ms / 1000)
        finally:
            self._twin.settle(exchange)

    async def _end(self, http: web.BaseRequest, exchange: Exchange) -> web.StreamResponse:
        if exchange.ending is Ending.RESET:
            _reset(http)
        elif exchange.ending is Ending.HANG:
            await _client_gone(http)
        elif exchange.ending is Ending.CUT_OFF:
            return await _cut_off(http, exchange.final_answer())
        return _response(exchange.final_answer())


async def _call(http: web.BaseRequest) -> Call:
    headers = {name.lower(): value for name, value in http.headers.items()}
    return Call(http.method, http.path, http.query_string, headers, await http.read())


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status,
        body=answer.body,
        headers={"Server": "nginx", **answer.headers},
        content_type=answer.content_type,
    )


async def _client_gone(http: web.BaseRequest) -> None:
    """Wait until the client closes the connection. Polls, because aiohttp has no event for it."""
    while http.transport is not None and not http.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_EVERY_S)


def _reset(http: web.BaseRequest) -> None:
    """Reset the connection: with SO_LINGER 0 the kernel sends RST instead of FIN."""
    if http.transport is None:
        return
    connection = http.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    http.transport.abort()


async def _cut_off(http: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send the length of the whole body and half of its bytes, then close the connection."""
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = answer.content_type
    response.content_length = len(answer.body)
    await response.prepare(http)
    await response.write(answer.body[: len(answer.body) // 2])
    if http.transport is not None:
        http.transport.close()
    return response


async def run(twin: StripeTwin, listener: socket.socket, stopped: asyncio.Event) -> None:
    """Serve until `stopped` is set. Print one line of JSON once the server listens."""
    async with serve(twin, listener) as base_url:
        print(json.dumps({"stripe_base": base_url}), flush=True)
        await stopped.wait()
