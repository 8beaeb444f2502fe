"""Stripe over HTTP: httpx is the client and aiohttp its transport, because httpx's own pool takes quadratic time."""

from __future__ import annotations

import base64
import json
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx

from paydispatch.domain.attempts import Attempt, NotSent, Unknown, classify
from paydispatch.domain.errors import BadSetting
from paydispatch.domain.form_encoding import encode
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from paydispatch.domain.credentials import StripeKey

USER_AGENT = "paydispatch/0.1"

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 80.0
"""Longer than Stripe's own timeouts. A shorter one would turn slow successes into unknown attempts."""

CONNECTIONS = 200
"""Twice the largest batch, so that no call waits for a connection."""

BROKEN_CALL = (httpx.RequestError, aiohttp.ClientError)
"""The errors of a call without a whole answer: httpx's, and aiohttp's, which the transport passes on."""


NEVER_CONNECTED = (
    aiohttp.ClientConnectorError,  # also for an unreachable proxy and an untrusted certificate
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,  # the proxy refused a tunnel to Stripe
)


def stripe_client(
    base_url: str,
    *,
    read_timeout_s: float = READ_TIMEOUT_S,
    connections: int = CONNECTIONS,
    proxy: str | None = None,
    ca_bundle: Path | None = None,
) -> httpx.AsyncClient:
    """Return a client for one event loop. It connects at its first call, which comes after a SnapStart restore.

    Raises `BadSetting` for a `ca_bundle` without certificates.
    """
    from paydispatch.adapters.stripe.transport import OneCallTransport

    transport = OneCallTransport(
        verify=_make_ssl_context(ca_bundle),
        trust_env=False,  # because `settings` reads the environment
        limits=httpx.Limits(max_connections=connections, keepalive_expiry=30.0),
        proxy=None if proxy is None else _proxy(proxy),
    )
    return httpx.AsyncClient(
        base_url=base_url,
        transport=transport,
        trust_env=False,
        timeout=httpx.Timeout(
            connect=CONNECT_TIMEOUT_S,
            read=read_timeout_s,
            write=read_timeout_s,
            pool=CONNECT_TIMEOUT_S,
        ),
        headers={"User-Agent": USER_AGENT},
    )


def _proxy(url: str) -> httpx.Proxy:
    """Return the proxy with its password in a header, because aiohttp deprecated the transport's `proxy_auth`."""
    address = httpx.URL(url)
    if not address.userinfo:
        return httpx.Proxy(address)
    password = base64.b64encode(f"{address.username}:{address.password}".encode()).decode()
    headers = {"Proxy-Authorization": f"Basic {password}"}
    return httpx.Proxy(address.copy_with(userinfo=b""), headers=headers)


def _make_ssl_context(ca_bundle: Path | None) -> ssl.SSLContext | bool:
    """Return the authorities that may sign certificates. True: the usual ones."""
    if ca_bundle is None:
        return True
    named = {"capath" if ca_bundle.is_dir() else "cafile": str(ca_bundle)}
    try:
        return ssl.create_default_context(**named)  # type: ignore[arg-type]
    except OSError as error:
        raise BadSetting(
            f"The CA bundle {ca_bundle} cannot be used: {error.strerror}. "
            "It must be a file or a folder with PEM certificates."
        ) from None


async def make_stripe_request(
    client: httpx.AsyncClient,
    secret_key: str,
    path: str,
    form_data: Mapping[str, Any],
    *,
    method: str = "POST",
    idempotency_key: str | None = None,
    stripe_account: str | None = None,
    stripe_context: str | None = None,
    version: str = STRIPE_API_VERSION,
) -> httpx.Response:
    """Make one call with `form_data` (nested as in JSON) and return the whole answer.

    A POST has the form as its body. A DELETE has it as its query, as Stripe's library sends it (`_api_requestor.py`).
    Raises an error of `BROKEN_CALL`.
    """
    form = encode(form_data)
    posts = method == "POST"
    headers = {
        "Authorization": f"Bearer {secret_key}",
        "Content-Type": "application/x-www-form-urlencoded" if posts else None,
        "Stripe-Version": version,
        "Idempotency-Key": idempotency_key,
        "Stripe-Account": stripe_account,
        "Stripe-Context": stripe_context,
    }
    sent = {name: value for name, value in headers.items() if value is not None}
    if posts:
        return await client.post(path, content=form, headers=sent)
    url = f"{path}?{form.decode()}" if form else path
    return await client.request(method, url, headers=sent)


class HttpStripeGateway:
    """`StripeGateway` over HTTP. It makes one HTTP call per call, and does not retry."""

    def __init__(self, client: httpx.AsyncClient, *, version: str = STRIPE_API_VERSION) -> None:
        self._client = client
        self._version = version

    async def call(
        self,
        *,
        method: str,
        path: str,
        params: Mapping[str, Any],
        key: StripeKey,
        request_id: str,
        stripe_account: str | None,
        stripe_context: str | None = None,
    ) -> Attempt:
        try:
            response = await make_stripe_request(
                self._client,
                key.reveal(),
                path,
                params,
                method=method,
                idempotency_key=request_id if method == "POST" else None,
                stripe_account=stripe_account,
                stripe_context=stripe_context,
                version=self._version,
            )
        except BROKEN_CALL as error:
            return classify_failure(error)
        return classify(response.status_code, response.headers, _json_or_none(response.content))


def classify_failure(error: httpx.RequestError | aiohttp.ClientError) -> NotSent | Unknown:
    """Return `NotSent` if the request certainly was not sent, else `Unknown`.

    The aiohttp transport reports a connection that is reset *after* sending as `httpx.ConnectTimeout`. So only the
    cause of httpx's error is a proof, and not its class.
    """
    cause = error.__cause__
    reason = f"{type(cause or error).__name__}: {error}"[:300]
    if isinstance(cause, aiohttp.ClientError):
        not_sent = isinstance(cause, NEVER_CONNECTED)
        timed_out = isinstance(cause, TimeoutError)
    else:
        not_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
        timed_out = isinstance(error, httpx.TimeoutException)
    if not_sent:
        return NotSent(reason)
    return Unknown(reason, "timeout" if timed_out else "connection_lost")


def _json_or_none(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None
