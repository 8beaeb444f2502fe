"""Find the status of requests through the HTTP API."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

from paydispatch.domain.errors import PaydispatchError, Unavailable
from paydispatch.domain.web.protected_urls import check_http_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ANSWER_WITHIN_S = 10.0
CALLS_AT_ONCE = 8
"""Few, because each call holds a concurrent execution of the API's Lambda function."""


class HttpStatuses:
    """`Outcomes` from `GET /v1/requests/{request_id}`."""

    def __init__(
        self, base_url: str, token: str | None, transport: httpx.BaseTransport | None = None
    ) -> None:
        """`token` is sent as a bearer token. Raises `BadSetting` if it would go to `base_url` unencrypted."""
        check_http_url("base_url", base_url)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._url = base_url
        self._client = httpx.Client(
            base_url=base_url, headers=headers, timeout=ANSWER_WITHIN_S, transport=transport
        )
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="paydispatch-status")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

    def find(self, request_ids: Sequence[str]) -> Sequence[Mapping[str, Any] | None]:
        """Return the status documents, or None for a request that the API does not know.

        Raises `Unavailable` if the API does not answer as it should, and `PaydispatchError` if it refuses the call.
        """
        return list(self._threads.map(self._find, request_ids))

    def _find(self, request_id: str) -> Mapping[str, Any] | None:
        try:
            answer = self._client.get(f"/v1/requests/{quote(request_id, safe='')}")
        except httpx.RequestError as error:
            name = type(error).__name__  # the text of the error may quote a header with the token
            raise Unavailable(f"The API at {self._url} does not answer ({name}).") from None
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> Mapping[str, Any] | None:
        body = _object_in(answer)
        if answer.status_code == 200 and "request_id" in body:
            return body
        error = body.get("error")
        said = error if isinstance(error, dict) else {}
        if said.get("code") == "resource_missing":
            return None
        why = f"The API at {self._url} answered {answer.status_code}: {said.get('message') or ''}".rstrip(
            ": "
        )
        raise _kind_of(answer.status_code)(f"{why}.".replace("..", "."))


def _kind_of(status: int) -> type[PaydispatchError]:
    """Return the kind of error. Only a 4xx stays as it is if the call is made again, except 408 and 429."""
    return PaydispatchError if 400 <= status < 500 and status not in (408, 429) else Unavailable


def _object_in(answer: httpx.Response) -> dict[str, Any]:
    body: Any = None
    with suppress(ValueError):
        body = answer.json()
    return body if isinstance(body, dict) else {}
