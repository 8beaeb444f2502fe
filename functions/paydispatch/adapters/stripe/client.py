"""The HTTP client for Stripe's API: aiohttp's connections, with the request interface of `httpx.AsyncClient`.

It sends a request over the wire at most once. An error says whether the request was certainly not sent.
"""

from __future__ import annotations

import base64
import time
import zlib
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self
from urllib.parse import unquote, urlencode

import aiohttp
from yarl import URL

from paydispatch.adapters.stripe.tls import stripe_tls
from paydispatch.domain.attempts import NotSent, Unknown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

USER_AGENT = "paydispatch/0.1"

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 80.0
"""Longer than Stripe's own timeouts. A shorter one would turn slow successes into unknown attempts."""

CONNECTIONS = 200
"""Twice the largest batch, so that no call waits for a connection."""

KEPT_IDLE_S = 30.0
"""An idle connection is not used after this time, because a gateway on the way may have dropped it silently."""

ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
"""The limit of a decompressed answer. Stripe's largest page is far below it."""

NEVER_CONNECTED = (
    aiohttp.ClientConnectorError,  # also for an unreachable proxy and an untrusted certificate
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,  # the proxy refused a tunnel to Stripe
)


class HttpResponse(Protocol):
    """A whole answer. `httpx.Response` is one."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def content(self) -> bytes: ...


class HttpClient(Protocol):
    """A client for one base URL. `StripeClient` and `httpx.AsyncClient` are two."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, str | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpResponse: ...


@dataclass(frozen=True, slots=True)
class StripeAnswer:
    status_code: int
    headers: Mapping[str, str]
    """Its names are case-insensitive."""
    content: bytes


class BrokenCall(Exception):
    """A call without a whole answer. Its text names the kind of error only."""

    def __init__(self, attempt: NotSent | Unknown, kind: str) -> None:
        super().__init__(kind)
        self.attempt = attempt


class StripeClient:
    """A client for one event loop. It connects at its first call, which comes after a SnapStart restore."""

    def __init__(
        self,
        base_url: str,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
        connections: int = CONNECTIONS,
        proxy: str | None = None,
        ca_bundle: Path | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises `BadSetting` for a `ca_bundle` without certificates."""
        self._base_url = base_url.rstrip("/")
        self._tls = stripe_tls(ca_bundle)
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            connect=CONNECT_TIMEOUT_S,  # includes the wait for a free connection
            sock_connect=CONNECT_TIMEOUT_S,
            sock_read=read_timeout_s,
        )
        self._proxy: URL | None = None
        self._proxy_headers: dict[str, str] | None = None
        if proxy is not None:
            self._proxy, self._proxy_headers = _proxy(proxy)
        self._wall_clock = wall_clock
        self._session: aiohttp.ClientSession | None = None
        self._in_flight = 0
        self._used_at = 0.0

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        params: Mapping[str, str | Sequence[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> StripeAnswer:
        """Make one call and return the whole answer. `url` is a path, with its query in wire form.

        Raises `BrokenCall`.
        """
        query = f"?{urlencode(params, doseq=True)}" if params else ""
        address = URL(f"{self._base_url}{url}{query}", encoded=True)
        async with self._open_session() as session:
            try:
                async with session.request(
                    method,
                    address,
                    data=content or None,
                    headers=headers,
                    allow_redirects=False,
                    proxy=self._proxy,
                    proxy_headers=self._proxy_headers,
                ) as response:
                    body = await response.read()
            except aiohttp.ClientError as error:
                raise BrokenCall(classify_failure(error), type(error).__name__) from error
        encoding = response.headers.get("Content-Encoding", "identity")
        return StripeAnswer(response.status, response.headers, _decoded(body, encoding))

    @asynccontextmanager
    async def _open_session(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Yield the session. Replace one that was idle for long by the wall clock.

        The clock of the connection pool may stand still while Lambda freezes the process.
        """
        if not self._in_flight and self._wall_clock() - self._used_at > KEPT_IDLE_S:
            await self.aclose()
        session = self._session = self._session or self._make_session()
        self._in_flight += 1
        try:
            yield session
        finally:
            self._in_flight -= 1
            self._used_at = self._wall_clock()

    def _make_session(self) -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=KEPT_IDLE_S, ssl=self._tls
            ),
            timeout=self._timeout,
            headers={"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "gzip"},
            skip_auto_headers=("Content-Type",),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # because `settings` reads the environment
        )
        # aiohttp sends a DELETE once more if its connection ends before the answer (RFC 9112, section 9.3.1.1). If
        # Stripe executed the first one, it answers the second with a 404, which the caller would take for the answer
        # to its only call. The repeats have no public switch.
        session._retry_connection = False  # noqa: SLF001
        return session

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def classify_failure(error: aiohttp.ClientError) -> NotSent | Unknown:
    """Return `NotSent` if the request certainly was not sent, else `Unknown`."""
    reason = f"{type(error).__name__}: {error}"[:300]
    if isinstance(error, NEVER_CONNECTED):
        return NotSent(reason)
    return Unknown(reason, "timeout" if isinstance(error, TimeoutError) else "connection_lost")


def _decoded(body: bytes, encoding: str) -> bytes:
    """Return the body without its compression. Raises `BrokenCall` if it is cut off or not what it says to be."""
    if encoding == "identity":
        return body
    try:
        if encoding != "gzip":
            raise zlib.error(f"the encoding {encoding[:20]!r} was not asked for")
        unpacker = zlib.decompressobj(wbits=31)  # 31: a gzip stream, with its checksum
        content = unpacker.decompress(body, ANSWER_LIMIT_BYTES)
        if not unpacker.eof:
            raise zlib.error("the answer is cut off, or too large")
    except zlib.error as error:
        broken = Unknown(f"Unreadable answer: {error}", "connection_lost")
        raise BrokenCall(broken, "UnreadableAnswer") from error
    return content


def _proxy(url: str) -> tuple[URL, dict[str, str]]:
    """Return the proxy's address without its password, and the header with it."""
    address = URL(url)
    user, password = address.raw_user, address.raw_password
    if user is None and password is None:
        return address, {}
    given = f"{unquote(user or '')}:{unquote(password or '')}"
    token = base64.b64encode(given.encode()).decode()
    return address.with_user(None), {"Proxy-Authorization": f"Basic {token}"}
