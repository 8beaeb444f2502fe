"""Serve the console: with the Redis of the environment, or through the operator's commands of a deployed stack."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from aiohttp import web

from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.recent import RedisRecent
from paydispatch.compose.console.operated_recent import OperatedRecent
from paydispatch.compose.console.trials import trials_on
from paydispatch.compose.trace import trace_ports
from paydispatch.console.app import build_app
from paydispatch.console.sources import Sources
from paydispatch.domain.errors import PaydispatchError
from paydispatch.services.recent import RecentRequests
from paydispatch.services.trace import format_trace, trace_of
from paydispatch.settings import queue_tenant_of, redis_url

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable

    from paydispatch.console.sources import Document, Operate
    from paydispatch.services.trace import TracePorts

REMOTE_PACE = 5.0
"""A page asks a function so many times less often than a Redis, because each question is an invocation."""

REMOTE_FRESH_S = 8.0


@asynccontextmanager
async def serve(
    operate: Operate,
    listener: socket.socket,
    *,
    token: str,
    reads_redis: bool,
    api: str | None = None,
    twin: str | None = None,
) -> AsyncIterator[None]:
    """Serve the page on `listener` while the block runs."""
    async with AsyncExitStack() as stack:
        way = await stack.enter_async_context(_redis()) if reads_redis else _function(operate)
        # Only a request to the twin may be tried with a made-up key.
        trials = await stack.enter_async_context(trials_on(api, twin)) if api and twin else None
        stack.push_async_callback(_end, asyncio.create_task(_read_ahead(way["recent"])))
        sources = Sources(operate=operate, trials=trials, **way)
        app = build_app(sources, token=token, port=listener.getsockname()[1])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.SockSite(runner, listener).start()
        yield


async def _read_ahead(recent: RecentRequests) -> None:
    """Read the list before somebody opens it, because the first reading takes longest."""
    with suppress(PaydispatchError):  # the page will say why
        await recent.find()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def _redis() -> AsyncIterator[dict[str, Any]]:
    redis = connect_async(redis_url(), EvictionCheck(allowed=True))
    try:
        async with trace_ports() as ports:
            yield {
                "recent": RecentRequests(RedisRecent(redis), SystemClock()),
                "trace": _tracer(ports),
            }
    finally:
        await redis.aclose()


def _function(operate: Operate) -> dict[str, Any]:
    source = OperatedRecent(operate)
    recent = RecentRequests(source, SystemClock(), fresh_s=REMOTE_FRESH_S)
    return {"recent": recent, "pace": REMOTE_PACE}


def _tracer(ports: TracePorts) -> Callable[[str, str | None], Awaitable[Document | None]]:
    queue_tenant = queue_tenant_of()

    async def trace(request_id: str, tenant: str | None) -> Document | None:
        found = await trace_of(
            ports, request_id, tenant=tenant or queue_tenant, queue_tenant=queue_tenant
        )
        return None if found is None else format_trace(found)

    return trace
