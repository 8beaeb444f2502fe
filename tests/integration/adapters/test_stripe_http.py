"""Calls to Stripe over real sockets: each failure leads to the right kind of attempt."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from paydispatch.adapters.stripe.client import KEPT_IDLE_S, StripeClient
from paydispatch.adapters.stripe.gateway import HttpStripeGateway
from paydispatch.domain.attempts import Answered, Attempt, NotSent, RefusedInFront, Unknown
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.local.listening import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

CREATED = {"id": "prod_1", "object": "product"}
CARD_ERROR = {"error": {"type": "card_error", "code": "card_declined", "message": "no"}}


class Caller:
    """A gateway to one address."""

    def __init__(self, base_url: str, **options: Any) -> None:
        self.client = StripeClient(base_url, **options)
        self._gateway = HttpStripeGateway(self.client)

    async def create(self, request_id: str = "pdr_1", **changed: Any) -> Attempt:
        call: dict[str, Any] = {
            "method": "POST",
            "path": "/v1/products",
            "params": {"name": "Tea"},
            "key": StripeKey("sk_test_1"),
            "stripe_account": None,
        }
        return await self._gateway.call(request_id=request_id, **{**call, **changed})


@pytest.fixture
async def make_caller() -> AsyncIterator[Callable[..., Caller]]:
    """Make callers, and close their clients after the test."""
    made: list[Caller] = []

    def make(base_url: str, **options: Any) -> Caller:
        made.append(Caller(base_url, **options))
        return made[-1]

    yield make
    for caller in made:
        await caller.client.aclose()


@pytest.fixture
def stripe(wire: Any) -> Any:
    return wire[0]


@pytest.fixture
def caller(wire: Any, make_caller: Callable[..., Caller]) -> Caller:
    return make_caller(wire[1], read_timeout_s=0.2)


def set_answers(stripe: Any, *answers: Any) -> None:
    stripe.answers = iter(answers)


async def test_a_created_object_is_an_answer(stripe: Any, caller: Caller, wire_answer: Any) -> None:
    set_answers(stripe, wire_answer(200, CREATED, Request_Id="req_1"))

    assert await caller.create() == Answered(200, CREATED, "req_1")


async def test_a_replay_is_recognised(stripe: Any, caller: Caller, wire_answer: Any) -> None:
    set_answers(stripe, wire_answer(402, CARD_ERROR, Idempotent_Replayed="true"))

    assert await caller.create() == Answered(402, CARD_ERROR, None, replayed=True)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RefusedInFront),
        (401, RefusedInFront),
        (402, Answered),
        (404, RefusedInFront),
        (409, RefusedInFront),
        (429, RefusedInFront),
        (500, Unknown),
        (503, Unknown),
        (302, Unknown),
    ],
)
async def test_the_status_code_decides_the_kind_of_attempt(
    stripe: Any, caller: Caller, wire_answer: Any, status: int, kind: type[Attempt]
) -> None:
    set_answers(stripe, wire_answer(status, CARD_ERROR))

    assert isinstance(await caller.create(), kind)


async def test_stripe_s_retry_header_is_passed_on(
    stripe: Any, caller: Caller, wire_answer: Any
) -> None:
    set_answers(stripe, wire_answer(429, CARD_ERROR, Stripe_Should_Retry="false"))

    assert await caller.create() == RefusedInFront(429, CARD_ERROR["error"], False, None)


async def test_a_tls_handshake_that_the_server_ends_was_not_sent(make_caller: Any) -> None:
    for end in (reset, close_connection):
        server = await asyncio.start_server(lambda _, writer, end=end: end(writer), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        attempt = await make_caller(f"https://127.0.0.1:{port}").create()

        assert isinstance(attempt, NotSent)
        server.close()


async def test_a_tls_handshake_with_a_server_that_speaks_no_tls_was_not_sent(
    make_caller: Any,
) -> None:
    async def answer_plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer_plain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    assert isinstance(await make_caller(f"https://127.0.0.1:{port}").create(), NotSent)
    server.close()


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_connection_that_is_reset_when_it_is_accepted_leaves_it_unknown(
    make_caller: Any, method: str
) -> None:
    """The connection was made, so that the request may have been read before the reset. Nothing is sent again."""
    accepted: list[int] = []

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(1)
        reset(writer)

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    attempt = await make_caller(f"http://127.0.0.1:{port}").create(method=method, params={})

    assert isinstance(attempt, Unknown)
    assert len(accepted) == 1
    server.close()


async def test_a_connection_that_is_never_accepted_was_not_sent(
    make_caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paydispatch.adapters.stripe.client.CONNECT_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)

        attempt = await make_caller(f"http://127.0.0.1:{address[1]}").create()

        assert isinstance(attempt, NotSent)
        for filler in fillers:
            filler.close()


async def test_a_refused_connection_was_not_sent(make_caller: Any) -> None:
    attempt = await make_caller(f"http://127.0.0.1:{free_port()}").create()

    assert isinstance(attempt, NotSent)


async def test_an_unknown_host_name_was_not_sent(make_caller: Any) -> None:
    attempt = await make_caller("http://stripe.invalid").create()

    assert isinstance(attempt, NotSent)


async def test_a_tls_handshake_that_does_not_end_was_not_sent(
    wire: Any, make_caller: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paydispatch.adapters.stripe.client.CONNECT_TIMEOUT_S", 0.1)
    _, url = wire
    attempt = await make_caller(url.replace("http:", "https:")).create()

    assert isinstance(attempt, NotSent)


async def test_a_call_that_found_no_free_connection_was_not_sent(
    wire: Any, make_caller: Any, wire_answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paydispatch.adapters.stripe.client.CONNECT_TIMEOUT_S", 0.05)
    stripe, url = wire
    set_answers(stripe, wire_answer(200, CREATED, after_s=0.15))
    caller = make_caller(url, connections=1)

    first, second = await asyncio.gather(caller.create(), caller.create())

    assert (type(first), type(second)) == (Answered, NotSent)
    assert len(stripe.received) == 1


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with a reset, as a crash or a middlebox does."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


def close_connection(writer: asyncio.StreamWriter) -> None:
    writer.close()


CUT = gzip.compress(b'{"id": "pi_1"}')[:-8]
"""A compressed answer without its checksum and length."""

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n"
LOST = {
    "closed before a word": (b"", close_connection),
    "reset before a word": (b"", reset),
    "closed within the headers": (b"HTTP/1.1 200 OK\r\nContent-Le", close_connection),
    "closed within the body": (WHOLE + b'{"id": "prod', close_connection),
    "reset within the body": (WHOLE + b'{"id": "prod', reset),
    "closed within a chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
        close_connection,
    ),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", close_connection),
    "a bad length": (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}", close_connection),
    "a bad encoding": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        close_connection,
    ),
    "an encoding that was not asked for": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}",
        close_connection,
    ),
    "compressed without its end": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
        + f"Content-Length: {len(CUT)}\r\n\r\n".encode()
        + CUT,
        close_connection,
    ),
}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("name", LOST)
async def test_an_answer_that_is_lost_after_sending_leaves_it_unknown(
    stripe: Any, caller: Caller, wire_answer: Any, name: str, method: str
) -> None:
    """The call is not repeated. The 404 to the repeat of a DELETE would be taken for the answer to the first one."""
    text, then = LOST[name]
    set_answers(stripe, type(wire_answer(200, b""))(text, then=then))

    attempt = await caller.create(method=method, params={})

    assert isinstance(attempt, Unknown)
    assert len(stripe.received) == 1


@pytest.mark.parametrize("text", [b"", WHOLE + b"{"], ids=["silent", "stuck in the body"])
async def test_an_answer_that_does_not_come_in_time_leaves_it_unknown(
    stripe: Any, caller: Caller, wire_answer: Any, text: bytes
) -> None:
    set_answers(stripe, type(wire_answer(200, b""))(text))

    attempt = await caller.create()

    assert isinstance(attempt, Unknown)
    assert attempt.code == "timeout"


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway</html>", b'"text"', b"[]", b"\xff\xfe", b"[" * 100_000]
)
@pytest.mark.parametrize("status", [200, 400, 502])
async def test_an_answer_that_is_no_json_object_leaves_it_unknown(
    stripe: Any, caller: Caller, wire_answer: Any, status: int, body: bytes
) -> None:
    set_answers(stripe, wire_answer(status, body))

    assert isinstance(await caller.create(), Unknown)


async def test_a_compressed_answer_is_read(stripe: Any, caller: Caller, wire_answer: Any) -> None:
    set_answers(stripe, wire_answer(200, gzip.compress(b'{"id": "p"}'), Content_Encoding="gzip"))

    assert await caller.create() == Answered(200, {"id": "p"}, None)


async def test_connections_are_kept(stripe: Any, caller: Caller) -> None:
    for _ in range(3):
        await caller.create()

    assert [call.connection for call in stripe.received] == [1, 1, 1]


async def test_a_kept_connection_that_the_server_closed_is_not_used(
    stripe: Any, caller: Caller
) -> None:
    await caller.create()
    stripe.hang_up()
    await asyncio.sleep(0.02)

    assert isinstance(await caller.create(), Answered)
    assert stripe.connections == 2


async def test_a_connection_that_was_idle_for_long_is_not_used(
    stripe: Any, wire: Any, make_caller: Any
) -> None:
    """After a freeze of the process a gateway may have dropped the connection without a word to either side."""
    now = [1_000.0]
    caller = make_caller(wire[1], wall_clock=lambda: now[0])
    await caller.create()
    now[0] += KEPT_IDLE_S
    await caller.create()
    assert stripe.connections == 1

    now[0] += KEPT_IDLE_S + 1
    attempts = await asyncio.gather(*(caller.create(f"pdr_{n}") for n in range(5)))

    assert all(isinstance(attempt, Answered) for attempt in attempts)
    assert {call.connection for call in stripe.received[2:]}.isdisjoint({1})


async def test_a_call_in_flight_keeps_its_connection_when_another_begins(
    stripe: Any, wire: Any, make_caller: Any, wire_answer: Any
) -> None:
    now = [1_000.0]
    caller = make_caller(wire[1], wall_clock=lambda: now[0])
    set_answers(stripe, wire_answer(200, CREATED, after_s=0.1), wire_answer(200, CREATED))
    first = asyncio.create_task(caller.create())
    await stripe.arrived.wait()
    now[0] += KEPT_IDLE_S + 1

    assert isinstance(await caller.create("pdr_2"), Answered)
    assert isinstance(await first, Answered)


async def test_a_call_that_is_given_up_leaves_no_answer_for_the_next_one(
    stripe: Any, wire: Any, make_caller: Any, wire_answer: Any
) -> None:
    caller = make_caller(wire[1], connections=1)
    set_answers(
        stripe, wire_answer(200, {"id": "late"}, after_s=0.05), wire_answer(200, {"id": "own"})
    )
    given_up = asyncio.create_task(caller.create())
    await stripe.arrived.wait()
    given_up.cancel()
    await asyncio.wait([given_up])

    assert await caller.create("pdr_2") == Answered(200, {"id": "own"}, None)
    assert [call.connection for call in stripe.received] == [1, 2]


async def test_a_kept_connection_that_dies_during_the_call_leaves_it_unknown(
    stripe: Any, caller: Caller, wire_answer: Any
) -> None:
    await caller.create()
    stripe.hang_up()  # the client notices it only after it has sent the next call

    attempt = await caller.create()

    assert isinstance(attempt, Unknown | Answered)


async def test_a_call_carries_key_version_account_context_and_identity(
    stripe: Any, caller: Caller
) -> None:
    await caller.create("pdr_7", stripe_account="acct_1", stripe_context="acct_2")

    (call,) = stripe.received
    assert (call.method, call.target) == ("POST", "/v1/products")
    assert call.headers["authorization"] == "Bearer sk_test_1"
    assert call.headers["idempotency-key"] == "pdr_7"
    assert call.headers["stripe-version"] == STRIPE_API_VERSION
    assert call.headers["stripe-account"] == "acct_1"
    assert call.headers["stripe-context"] == "acct_2"
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"


async def test_without_an_account_there_is_no_account_header(stripe: Any, caller: Caller) -> None:
    await caller.create()

    assert {"stripe-account", "stripe-context"}.isdisjoint(stripe.received[0].headers)


async def test_parameters_are_a_form(stripe: Any, caller: Caller) -> None:
    await caller.create(
        params={"items": [{"price": "p 1", "on": True}], "note": "\u00fc", "no": None}
    )

    assert parse_qs(stripe.received[0].body.decode()) == {
        "items[0][price]": ["p 1"],
        "items[0][on]": ["true"],
        "note": ["\u00fc"],
    }


async def test_an_empty_form_is_posted(stripe: Any, caller: Caller) -> None:
    assert isinstance(await caller.create(params={}), Answered)
    assert stripe.received[0].headers["content-length"] == "0"


async def test_redirects_are_not_followed(stripe: Any, caller: Caller, wire_answer: Any) -> None:
    set_answers(stripe, wire_answer(307, {}, Location="/v1/elsewhere"))

    assert isinstance(await caller.create(), Unknown)
    assert len(stripe.received) == 1


async def test_the_key_is_in_no_reason(
    make_caller: Any, stripe: Any, caller: Caller, wire_answer: Any
) -> None:
    set_answers(stripe, type(wire_answer(200, b""))(b"", then=close_connection))

    assert "sk_test" not in repr(await caller.create())
    assert "sk_test" not in repr(await make_caller(f"http://127.0.0.1:{free_port()}").create())


async def test_a_hundred_calls_are_in_flight_at_once(
    wire: Any, make_caller: Any, wire_answer: Any
) -> None:
    stripe, url = wire
    caller = make_caller(url)
    stripe.answers = iter([wire_answer(200, CREATED, after_s=0.3)] * 200)

    for round_ in ("cold", "warm"):
        started = time.perf_counter()
        attempts = await asyncio.gather(*(caller.create(f"pdr_{n}") for n in range(100)))
        print(f"{round_}: {time.perf_counter() - started:.3f} s")
        assert all(isinstance(attempt, Answered) for attempt in attempts)

    assert stripe.connections == 100
