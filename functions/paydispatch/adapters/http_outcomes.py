"""`OutcomeReader` over the status route of the HTTP API.

Every call has a client of its own. So the reader may be used in any thread, event loop and forked process.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from paydispatch.adapters.http_results import object_in, refusal_of
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.web.protected_urls import check_http_url

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

LONGEST_WAIT_S = 20
"""Of one call. A longer wait is several calls, because proxies end a call that is silent for long."""

ANSWER_WITHIN_S = 1.0
"""The part of a wait that is left for the way of the answer."""

CONNECT_WITHIN_S = 5.0
_SHORTEST_TIMEOUT_S = 0.05


class HttpOutcomeReader:
    def __init__(self, base_url: str, *, auth: httpx.Auth | str | None = None) -> None:
        """`auth` is an `httpx.Auth`, or a bearer token. Raises `BadSetting` if it would go out unencrypted."""
        self._base_url = check_http_url("status_url", base_url).rstrip("/")
        self._auth = None if isinstance(auth, str) else auth
        self._token = {"Authorization": f"Bearer {auth}"} if isinstance(auth, str) else {}

    def read(
        self, request_id: str, fingerprint: str | None, within_s: float
    ) -> Mapping[str, Any] | None:
        try:
            with httpx.Client(verify=self._tls, timeout=_timeout(within_s)) as client:
                answer = client.get(**self._call(request_id, fingerprint, within_s))
        except httpx.RequestError as error:
            raise _unreachable(error) from None
        return _status_in(answer)

    async def read_async(
        self, request_id: str, fingerprint: str | None, within_s: float
    ) -> Mapping[str, Any] | None:
        try:
            async with httpx.AsyncClient(verify=self._tls, timeout=_timeout(within_s)) as client:
                answer = await client.get(**self._call(request_id, fingerprint, within_s))
        except httpx.RequestError as error:
            raise _unreachable(error) from None
        return _status_in(answer)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made once, because reading the trusted certificates takes some 10 ms."""
        return httpx.create_ssl_context()

    def _call(self, request_id: str, fingerprint: str | None, within_s: float) -> dict[str, Any]:
        wait_s = int(min(within_s - ANSWER_WITHIN_S, LONGEST_WAIT_S))
        prefer = {"Prefer": f"wait={wait_s}"} if wait_s > 0 else {}
        return {
            "url": f"{self._base_url}/v1/requests/{quote(request_id, safe='')}",
            "params": {} if fingerprint is None else {"fingerprint": fingerprint},
            "headers": {**self._token, **prefer},
            "auth": self._auth,
        }


def _timeout(within_s: float) -> httpx.Timeout:
    whole_s = max(within_s, _SHORTEST_TIMEOUT_S)
    return httpx.Timeout(whole_s, connect=min(whole_s, CONNECT_WITHIN_S))


def _unreachable(error: httpx.RequestError) -> Unavailable:
    """Return the error with the name of httpx's error only, because its text may quote a header with a token."""
    return Unavailable(f"The API does not answer ({type(error).__name__}).")


def _status_in(answer: httpx.Response) -> Mapping[str, Any] | None:
    """Return the status. Raises `Unavailable`, or the refusal of the API."""
    body = object_in(answer)
    if answer.status_code == 404:
        return None
    if answer.status_code == 200 and "status" in body:
        return body
    if 400 <= answer.status_code < 500 and answer.status_code != 429:
        raise refusal_of(answer.status_code, body)
    raise Unavailable(f"The API answered {answer.status_code} without a status.")
