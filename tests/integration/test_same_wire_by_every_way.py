"""Every operation goes over the wire as Stripe's own library sends it, by whichever way it came in.

The library makes each call against the twin, with every field that a body of the operation can have. The same
parameters go in by every way, and through the whole Stripe caller to the same twin. Both calls must have the same
method, path and fields. Only a create has one more field: our mark in its metadata.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest
import stripe
from aiohttp import web
from tests.every_way_in import EveryWayIn
from tests.integration.library_methods import library_methods, shape
from tests.integration.twin_process import a_client
from tests.rich_params import rich_params
from tests.unit.services.conftest import Caller

from paydispatch.adapters.stripe.client import StripeClient
from paydispatch.adapters.stripe.gateway import HttpStripeGateway
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.message.read_message import read_message
from paydispatch.domain.stripe.operations import Operation, all_operations, operation_named
from paydispatch.twin.serving.server import TwinServer
from paydispatch.twin.twin import StripeTwin

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_OPERATION = pytest.mark.parametrize("operation", all_operations(), ids=lambda row: row.name)
CALL_WITHIN_S = 30.0

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Sent:
    """One write as it arrived at the twin."""

    method: str
    path: str
    """Still percent-encoded."""
    query: Fields
    form: Fields
    content_type: str | None
    stripe_version: str | None

    @classmethod
    async def read(cls, http: web.BaseRequest) -> Sent:
        path, _, query = http.raw_path.partition("?")
        form = (await http.read()).decode()
        content_type = http.headers.get("Content-Type") if form else None
        return cls(
            http.method,
            path,
            _fields(query),
            _fields(form),
            content_type,
            http.headers.get("Stripe-Version"),
        )


def _fields(text: str) -> Fields:
    return tuple(parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)))


class Wire:
    """The twin behind HTTP, the calls that arrived there, and the real gateway of the Stripe caller."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.base_url = ""
        self._loop = loop
        self._arrived: list[tuple[Sent, str | None]] = []
        self._twin = TwinServer(StripeTwin(strict=False))

    async def open(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}"
        self._client = StripeClient(self.base_url)

    async def close(self) -> None:
        await self._client.aclose()
        await self._runner.cleanup()

    async def _answer(self, http: web.BaseRequest) -> web.StreamResponse:
        self._arrived.append((await Sent.read(http), http.headers.get("Idempotency-Key")))
        return await self._twin.answer(http)

    def take(self) -> tuple[Sent, str | None]:
        """Return the only call that has arrived, and its idempotency key."""
        arrived, self._arrived = self._arrived, []
        (only,) = arrived
        return only

    def call(self, ways: EveryWayIn, message: str, message_id: str) -> Envelope:
        """Let the whole Stripe caller work on one queue message. Return what the message asks for."""
        caller = Caller(ways.sealer)
        envelope = read_message(message, message_id=message_id, sent_at=caller.clock.now_s())
        assert isinstance(envelope, Envelope), envelope
        caller.clock.advance(envelope.accepted_at - caller.clock.now_s())
        caller.stripe = HttpStripeGateway(self._client)  # type: ignore[assignment]
        received = caller.receive_all(caller.message(message, id_=message_id))
        kept = asyncio.run_coroutine_threadsafe(received, self._loop).result(CALL_WITHIN_S)
        assert (kept, len(caller.outcomes.entries)) == ([], 1), caller.log.lines
        return envelope


@contextmanager
def _a_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread of its own, because the library blocks."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with _a_loop() as loop:
        wire = Wire(loop)
        asyncio.run_coroutine_threadsafe(wire.open(), loop).result(CALL_WITHIN_S)
        yield wire
        asyncio.run_coroutine_threadsafe(wire.close(), loop).result(CALL_WITHIN_S)


@pytest.fixture(scope="module")
def library(wire: Wire) -> Iterator[Library]:
    with a_client(wire.base_url) as client:
        yield Library(client)


@pytest.fixture(scope="module")
def ways() -> EveryWayIn:
    return EveryWayIn()


class Library:
    """Stripe's official library."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._client = client
        self._methods = library_methods(client)

    def perform(self, operation: Operation, ids: dict[str, str], params: dict[str, Any]) -> None:
        """Perform an operation with the method of the library, or else by a raw request of it.

        The twin refuses many of the objects that the parameters name. The call has arrived then too.
        """
        method = self._methods.get((operation.method, shape(operation.path)))
        assert (method is not None) == ("library" in operation.sources)
        with suppress(stripe.StripeError):
            if method is not None:
                method(*ids.values(), params=params)
            else:
                endpoint = operation.endpoint(ids)
                self._client.raw_request(operation.method.lower(), endpoint, **params)


def without_mark(sent: Sent, operation: Operation, request_id: str) -> Sent:
    """Return the call without our mark, which it must have once if it makes an object with metadata."""
    mark = (f"metadata[{MARK}]", request_id)
    assert sent.form.count(mark) == operation.marked
    return replace(sent, form=tuple(field for field in sent.form if field != mark))


@EVERY_OPERATION
def test_every_way_sends_what_the_library_sends(
    wire: Wire, library: Library, ways: EveryWayIn, operation: Operation
) -> None:
    ids = {name: f"{name}_1-50%25é" for name in operation.path_names}
    params = rich_params(operation)
    library.perform(operation, ids, params)
    wanted, _ = wire.take()
    for way, message in ways.messages(operation, ids, params):
        envelope = wire.call(ways, message, way)
        sent, key = wire.take()
        assert without_mark(sent, operation, envelope.request_id) == wanted, way
        assert key == (envelope.request_id if operation.method == "POST" else None), way


def test_the_bodies_have_every_kind_of_value() -> None:
    bodies = [rich_params(operation) for operation in all_operations()]
    kinds = {type(value).__name__ for body in bodies for value in _values(body)}
    assert kinds == {"dict", "list", "str", "int", "float", "bool", "datetime", "Decimal"}
    fields = {name for body in bodies for name in body}
    assert {"expand", "metadata"} <= fields


def _values(value: Any) -> Iterator[Any]:
    yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inner:
        yield from _values(one)


def test_a_space_in_an_id_is_percent_encoded_though_the_library_writes_a_plus(
    wire: Wire, library: Library, ways: EveryWayIn
) -> None:
    """A plus in a path is a plus (RFC 3986), so that the library's call would name another coupon."""
    operation, ids = operation_named("delete_coupon"), {"coupon": "SUMMER SALE"}
    library.perform(operation, ids, {})
    assert wire.take()[0].path == "/v1/coupons/SUMMER+SALE"
    for way, message in ways.messages(operation, ids, {}):
        wire.call(ways, message, way)
        assert wire.take()[0].path == "/v1/coupons/SUMMER%20SALE", way
