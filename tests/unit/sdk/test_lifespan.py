"""Requests find the Dispatcher of a web framework's lifespan, though the lifespan runs in a task of its own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from tests.unit.examples import KEY

from paydispatch import Dispatcher, new_coupon
from paydispatch.domain.errors import NoDispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request


@asynccontextmanager
async def as_a_block(delivery: MemoryDelivery) -> AsyncIterator[None]:
    async with Dispatcher(delivery):
        yield


@asynccontextmanager
async def start_and_close(delivery: MemoryDelivery) -> AsyncIterator[None]:
    dispatcher = await asyncio.to_thread(Dispatcher(delivery).start)
    yield
    await asyncio.to_thread(dispatcher.close)


def dispatch() -> str:
    coupon = new_coupon().percent_off(5).duration("once")
    return coupon.create_async("worker-1", "context-1", KEY).request_id


async def in_the_loop(_: Request) -> PlainTextResponse:
    return PlainTextResponse(dispatch())


def in_a_thread(_: Request) -> PlainTextResponse:
    return PlainTextResponse(dispatch())


def application(lifespan: Callable[[], Any]) -> Starlette:
    routes = [Route("/loop", in_the_loop), Route("/thread", in_a_thread)]
    return Starlette(routes=routes, lifespan=lambda _: lifespan())


class Server:
    """An ASGI server. The lifespan and each request are tasks of their own, and none of them starts another."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[Any] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._lifespan = asyncio.create_task(self._app(scope, self._to_app.get, self._from_app.put))
        await self._ask("lifespan.startup")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ask("lifespan.shutdown")
        await self._lifespan

    async def get(self, path: str) -> str:
        return await asyncio.create_task(self._request(path))

    async def _ask(self, message: str) -> None:
        await self._to_app.put({"type": message})
        assert await self._from_app.get() == {"type": f"{message}.complete"}

    async def _request(self, path: str) -> str:
        body: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            body.append(message.get("body", b""))

        scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
        await self._app({**scope, "root_path": "", "asgi": {"version": "3.0"}}, receive, send)
        return b"".join(body).decode()


@pytest.mark.parametrize("lifespan", [as_a_block, start_and_close])
@pytest.mark.parametrize("path", ["/loop", "/thread"])
async def test_requests_find_the_dispatcher_of_the_lifespan(
    delivery: MemoryDelivery, lifespan: Any, path: str
) -> None:
    async with Server(application(lambda: lifespan(delivery))) as server:
        request_ids = [await server.get(path) for _ in range(3)]
    assert [sent.request_id for sent in delivery.envelopes] == request_ids


async def test_after_the_lifespan_there_is_no_dispatcher(delivery: MemoryDelivery) -> None:
    app = application(lambda: as_a_block(delivery))
    async with Server(app) as server:
        await server.get("/loop")
    with pytest.raises(NoDispatcher):
        await server.get("/loop")


async def test_with_two_lifespans_the_application_must_pass_its_dispatcher(
    delivery: MemoryDelivery,
) -> None:
    async with (
        Server(application(lambda: as_a_block(MemoryDelivery()))) as server,
        Server(application(lambda: as_a_block(delivery))),
    ):
        with pytest.raises(NoDispatcher, match="2 Dispatchers run in this process"):
            await server.get("/loop")


async def test_a_block_may_be_left_in_another_context_than_it_was_entered_in(
    delivery: MemoryDelivery,
) -> None:
    """Asynchronous fixtures do so, and frameworks that run the two halves of a lifespan as two tasks."""
    block = as_a_block(delivery)
    await asyncio.create_task(block.__aenter__())
    dispatch()
    await asyncio.create_task(block.__aexit__(None, None, None))
    assert len(delivery.envelopes) == 1
