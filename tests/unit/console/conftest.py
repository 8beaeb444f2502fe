"""The console's application over parts in memory, and a client that is signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from paydispatch.console.app import build_app
from paydispatch.local.listening import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from paydispatch.console.sources import Sources

    Serve = Callable[[Sources], Awaitable[TestClient[Any, Any]]]

TOKEN = "t" * 32


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Yield a function that serves the sources and returns a client that is signed in."""
    clients: list[TestClient[Any, Any]] = []

    async def begin(sources: Sources) -> TestClient[Any, Any]:
        port = free_port()
        server = TestServer(build_app(sources, token=TOKEN, port=port), port=port)
        client = TestClient(server, headers={"Origin": f"http://127.0.0.1:{port}"})
        clients.append(client)
        await client.start_server()
        await client.get(f"/?token={TOKEN}")
        return client

    yield begin
    for client in clients:
        await client.close()
