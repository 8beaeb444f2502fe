"""Submit requests to a local stack, rehearse them without sending anything, and control its twin."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from paydispatch.compose.console.rehearsal import answer_of_api
from paydispatch.domain.errors import InvalidField, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from paydispatch.console.sources import Document

TRIAL_KEY = "sk_test_console"
"""The twin takes any test key. The page never has one."""


class StackTrials:
    def __init__(self, http: aiohttp.ClientSession, api: str, twin: str) -> None:
        self._http = http
        self._api = api
        self._twin = twin

    async def submit(self, method: str, path: str, body: Mapping[str, Any]) -> Document:
        return await self._call(method, self._api + _checked(path), _with_key(body))

    def rehearse(self, method: str, path: str, body: Mapping[str, Any]) -> Document:
        return answer_of_api(method, _checked(path), _with_key(body))

    async def control_twin(
        self, method: str, name: str, body: Mapping[str, Any] | None
    ) -> Document:
        return await self._call(method, f"{self._twin}/_twin/{name}", body)

    async def _call(self, method: str, url: str, body: Mapping[str, Any] | None) -> Document:
        try:
            async with self._http.request(method, url, json=body) as answer:
                return {
                    "http_status": answer.status,
                    "answer": await answer.json(content_type=None),
                }
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Unavailable(f"{url} does not answer: {type(error).__name__}.") from error


@asynccontextmanager
async def trials_on(api: str, twin: str) -> AsyncIterator[StackTrials]:
    async with aiohttp.ClientSession() as http:
        yield StackTrials(http, api, twin)


def _checked(path: str) -> str:
    """Return the path. Raises `InvalidField`, because another path could lead to another server."""
    if not path.startswith("/v1/"):
        raise InvalidField("path", "path must begin with /v1/.")
    return path


def _with_key(body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "stripe_secret": TRIAL_KEY}
