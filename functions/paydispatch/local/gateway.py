"""The local gateway, which stands in for API Gateway and for one execution environment of the API function.

    python -m paydispatch.local.gateway --name gateway-1 --fd 5 --handler paydispatch.local.lambdas.api.handler

The stack opens the listening socket and starts several gateways on it. Each calls its handler with one event at a time,
as Lambda does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

from aiohttp import web

from paydispatch.domain.web.web_pages import refuse_web_page
from paydispatch.local.lambdas.handlers import Handler, load_handler
from paydispatch.local.lambdas.http_event import (
    HttpRequest,
    HttpResponse,
    http_event,
    http_response,
)
from paydispatch.local.lambdas.lambda_context import LambdaContext

FUNCTION_NAME = "paydispatch-api"

# The limits of API Gateway for an HTTP API, and its answers when a request exceeds them.
_MAX_BODY_BYTES = 10 * 1024 * 1024
_GATEWAY_TIMEOUT_S = 30.0
_FUNCTION_TIMEOUT_S = 29.0
_MOST_WAITING = 64
_TOO_LONG = b'{"message":"Request Too Long"}'
_UNAVAILABLE = b'{"message":"Service Unavailable"}'
_FAILED = b'{"message":"Internal Server Error"}'


class Gateway:
    """Translates HTTP requests to Lambda events, and calls the handler with one event at a time.

    Only requests that wait for an outcome (`Prefer: wait=N`) have threads of their own. AWS starts another environment
    for each request in flight, so that none delays the others there.
    """

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._environment = ThreadPoolExecutor(max_workers=1, thread_name_prefix="environment")
        self._waiting = ThreadPoolExecutor(_MOST_WAITING, thread_name_prefix="waiting")

    def application(self) -> web.Application:
        application = web.Application(client_max_size=_MAX_BODY_BYTES)
        application.router.add_route("*", "/{path:.*}", self.serve)
        return application

    async def serve(self, request: web.Request) -> web.Response:
        refusal = refuse_web_page({name.lower(): value for name, value in request.headers.items()})
        if refusal is not None:
            return _gateway_answer(refusal.status, refusal.body())
        try:
            arrived = await _read(request)
        except web.HTTPRequestEntityTooLarge:
            return _gateway_answer(413, _TOO_LONG)
        invocation = asyncio.get_running_loop().run_in_executor(
            self._waiting if _may_wait(request) else self._environment, self.invoke, arrived
        )
        try:
            return _answer(await asyncio.wait_for(invocation, _GATEWAY_TIMEOUT_S))
        except TimeoutError:
            return _gateway_answer(503, _UNAVAILABLE)

    def invoke(self, request: HttpRequest) -> HttpResponse:
        """Call the handler once. Any exception of the handler becomes a 500, as in API Gateway."""
        context = LambdaContext(FUNCTION_NAME, _FUNCTION_TIMEOUT_S)
        try:
            return http_response(self._handler(http_event(request), context))
        except Exception:
            traceback.print_exc()
            return HttpResponse(500, {"content-type": "application/json"}, _FAILED)


def _may_wait(request: web.Request) -> bool:
    return "wait" in request.headers.get("Prefer", "").lower()


async def _read(request: web.Request) -> HttpRequest:
    return HttpRequest(
        method=request.method,
        path=request.path,
        query=request.rel_url.raw_query_string,
        headers=tuple(request.headers.items()),
        body=await request.read(),
        source_ip=request.remote or "127.0.0.1",
    )


def _answer(response: HttpResponse) -> web.Response:
    answer = web.Response(status=response.status, body=response.body, headers=response.headers)
    for cookie in response.cookies:
        answer.headers.add("Set-Cookie", cookie)
    return answer


def _gateway_answer(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")


async def serve_until_stopped(name: str, gateway: Gateway, listener: socket.socket) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    runner = web.AppRunner(gateway.application(), access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    print(json.dumps({"ready": name}), flush=True)
    await stopped.wait()
    await runner.cleanup()


def main() -> int:
    parser = argparse.ArgumentParser(description="Serve a Lambda handler over HTTP.")
    parser.add_argument("--name", required=True, help="name of this part")
    parser.add_argument(
        "--fd", type=int, required=True, help="file descriptor of the inherited listening socket"
    )
    parser.add_argument("--handler", required=True, help="entry point, as package.module.function")
    arguments = parser.parse_args()
    gateway = Gateway(load_handler(arguments.handler))
    listener = socket.socket(fileno=arguments.fd)
    asyncio.run(serve_until_stopped(arguments.name, gateway, listener))
    return 0


if __name__ == "__main__":
    sys.exit(main())
