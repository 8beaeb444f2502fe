"""Stripe behind a CONNECT proxy and a company's own certificate, over real sockets."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from paydispatch.adapters.stripe.client import KEPT_IDLE_S, StripeClient
from paydispatch.adapters.stripe.gateway import HttpStripeGateway
from paydispatch.domain.attempts import Answered, Attempt, NotSent, Unknown
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.errors import BadSetting
from paydispatch.local.listening import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KEY = "sk_test_travels_through_the_tunnel"
STRIPE = "stripe.test"
"""A name that DNS cannot resolve. Only the proxy knows its address."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a self-signed certificate for `STRIPE` and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, STRIPE)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(STRIPE)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(
        made.public_bytes(pem) + key.private_bytes(pem, private, serialization.NoEncryption())
    )
    return file


class Stripe:
    """A server that answers over TLS, or closes the connection after it has read a request."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.resumed: list[bool] = []
        self.hangs_up = False

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        self.keys.append(request.headers["Authorization"])
        self.resumed.append(request.get_extra_info("ssl_object").session_reused)
        if self.hangs_up and request.transport is not None:
            request.transport.abort()
        return web.json_response({"id": "prod_1"})


class Proxy:
    """A proxy that opens tunnels to one server for every host name, and records all bytes that go in."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.refuses_with = b""
        self.received = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received += await reader.readuntil(b"\r\n\r\n")
        if self.refuses_with:
            writer.write(b"HTTP/1.1 " + self.refuses_with + b"\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            inside = await asyncio.open_connection("127.0.0.1", self.target)
            with suppress(ConnectionError):
                await asyncio.gather(self._pump(reader, inside[1]), self._pump(inside[0], writer))
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            self.received += data
            sink.write(data)
        sink.close()


@pytest.fixture
async def stripe(certificate: Path) -> AsyncIterator[tuple[Stripe, int]]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    stripe, port = Stripe(), free_port()
    runner = web.ServerRunner(web.Server(stripe.answer), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    yield stripe, port
    await runner.cleanup()


@pytest.fixture
async def proxy(stripe: tuple[Stripe, int]) -> AsyncIterator[tuple[Proxy, str]]:
    proxy, port = Proxy(stripe[1]), free_port()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", port)
    yield proxy, f"http://user:hush@127.0.0.1:{port}"
    server.close()


async def create(**options: Any) -> Attempt:
    async with StripeClient(f"https://{STRIPE}", **options) as client:
        return await HttpStripeGateway(client).call(
            method="POST",
            path="/v1/products",
            params={"name": "Tea"},
            key=StripeKey(KEY),
            request_id="pdr_1",
            stripe_account=None,
        )


async def test_a_call_passes_through_a_tunnel_that_the_proxy_cannot_read(
    stripe: tuple[Stripe, int], proxy: tuple[Proxy, str], certificate: Path
) -> None:
    attempt = await create(proxy=proxy[1], ca_bundle=certificate)

    assert attempt == Answered(200, {"id": "prod_1"}, None)
    assert stripe[0].keys == [f"Bearer {KEY}"]
    assert proxy[0].received.startswith(b"CONNECT stripe.test:443 HTTP/1.1\r\n")
    assert b"proxy-authorization: basic dxnlcjpodxno" in proxy[0].received.lower()
    assert KEY.encode() not in proxy[0].received


async def test_an_unreachable_proxy_has_sent_nothing() -> None:
    attempt = await create(proxy=f"http://user:hush@127.0.0.1:{free_port()}")

    assert isinstance(attempt, NotSent)
    assert "hush" not in attempt.reason


@pytest.mark.parametrize("answer", [b"407 Proxy Authentication Required", b"403 No", b"502 Bad"])
async def test_a_proxy_that_refuses_the_tunnel_has_sent_nothing(
    stripe: tuple[Stripe, int], proxy: tuple[Proxy, str], certificate: Path, answer: bytes
) -> None:
    proxy[0].refuses_with = answer

    attempt = await create(proxy=proxy[1], ca_bundle=certificate)

    assert isinstance(attempt, NotSent)
    assert answer.split()[0].decode() in attempt.reason
    assert "hush" not in attempt.reason
    assert stripe[0].keys == []


async def test_nothing_is_sent_to_a_stripe_whose_certificate_is_not_trusted(
    stripe: tuple[Stripe, int], proxy: tuple[Proxy, str]
) -> None:
    attempt = await create(proxy=proxy[1])

    assert isinstance(attempt, NotSent)
    assert "certificate" in attempt.reason.lower()
    assert stripe[0].keys == []


async def test_a_later_connection_resumes_the_tls_session_of_the_first(
    stripe: tuple[Stripe, int], proxy: tuple[Proxy, str], certificate: Path
) -> None:
    now = [1_000.0]
    options: dict[str, Any] = {"proxy": proxy[1], "ca_bundle": certificate}
    async with StripeClient(f"https://{STRIPE}", wall_clock=lambda: now[0], **options) as client:
        for _ in range(3):
            await client.request("GET", "/v1/account", headers={"Authorization": f"Bearer {KEY}"})
            now[0] += KEPT_IDLE_S + 1

    assert stripe[0].resumed == [False, True, True]


async def test_a_tunnel_that_breaks_after_the_request_leaves_the_attempt_unknown(
    stripe: tuple[Stripe, int], proxy: tuple[Proxy, str], certificate: Path
) -> None:
    stripe[0].hangs_up = True

    assert isinstance(await create(proxy=proxy[1], ca_bundle=certificate), Unknown)


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_a_bundle_without_certificates_is_reported_at_the_start(
    tmp_path: Path, text: str | None
) -> None:
    bundle = tmp_path / "bundle.pem"
    if text is not None:
        bundle.write_text(text)

    with pytest.raises(BadSetting, match=r"The CA bundle .*bundle\.pem cannot be used"):
        StripeClient("https://api.stripe.com", ca_bundle=bundle)
