"""Compose the console on a Redis, and on the API and the twin of a local stack."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.recent import RedisRecent
from paydispatch.compose.trace import trace_ports
from paydispatch.console.app import build_app
from paydispatch.console.handlers.questions import Sources
from paydispatch.domain.errors import Unavailable
from paydispatch.services.recent import RecentRequests
from paydispatch.services.trace import format_trace, trace_of
from paydispatch.settings import queue_tenant_of, redis_url

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from paydispatch.console.handlers.questions import Document
    from paydispatch.services.trace import TracePorts

TRIAL_KEY = "sk_test_console"
"""The twin takes any test key. The page never has one."""


@asynccontextmanager
async def serve(
    operate: Callable[[str, Mapping[str, Any]], Document],
    listener: socket.socket,
    *,
    token: str,
    reads_redis: bool,
    api: str | None = None,
    twin: str | None = None,
) -> AsyncIterator[None]:
    """Serve the page on `listener` while the block runs."""
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(_store()) if reads_redis else {}
        http = await stack.enter_async_context(aiohttp.ClientSession())
        trials = _trials(http, api, twin)
        app = build_app(
            Sources(operate=operate, **store, **trials), token=token, port=listener.getsockname()[1]
        )
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()
        yield


@asynccontextmanager
async def _store() -> AsyncIterator[dict[str, Any]]:
    redis = connect_async(redis_url(), EvictionCheck(allowed=True))
    recent = RecentRequests(RedisRecent(redis), SystemClock())
    try:
        async with trace_ports() as ports:
            yield {"recent": recent.find, "trace": _tracer(ports)}
    finally:
        await redis.aclose()


def _tracer(ports: TracePorts) -> Callable[[str, str | None], Awaitable[Document | None]]:
    queue_tenant = queue_tenant_of()

    async def trace(request_id: str, tenant: str | None) -> Document | None:
        found = await trace_of(
            ports, request_id, tenant=tenant or queue_tenant, queue_tenant=queue_tenant
        )
        return None if found is None else format_trace(found)

    return trace


def _trials(http: aiohttp.ClientSession, api: str | None, twin: str | None) -> dict[str, Any]:
    async def control(method: str, name: str, body: Mapping[str, Any] | None) -> Document:
        return await _call(http, method, f"{twin}/_twin/{name}", body)

    async def submit(path: str, body: Mapping[str, Any]) -> Document:
        if not path.startswith("/v1/"):
            raise Unavailable("path must begin with /v1/.")
        return await _call(http, "POST", f"{api}{path}", {**body, "stripe_secret": TRIAL_KEY})

    # Only a request to the twin may be tried with a made-up key.
    return {"twin": control, "submit": submit} if twin and api else {}


async def _call(
    http: aiohttp.ClientSession, method: str, url: str, body: Mapping[str, Any] | None
) -> Document:
    try:
        async with http.request(method, url, json=body) as answer:
            return {"http_status": answer.status, "answer": await answer.json(content_type=None)}
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Unavailable(f"{url} does not answer: {type(error).__name__}.") from error
