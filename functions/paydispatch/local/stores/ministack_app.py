"""MiniStack's application, with the message size of SQS, and closed to web pages.

MiniStack 1.4 refuses a queue for messages of more than 256 KiB, but SQS has allowed 1 MiB since 2025. MiniStack 1.5
allows 1 MiB too, but pins an old botocore.
"""

from __future__ import annotations

from typing import Any

from ministack.app import app as ministack  # type: ignore[import-untyped]
from ministack.services import sqs  # type: ignore[import-untyped]

from paydispatch.domain.web.web_pages import Refusal, refuse_web_page

MAX_MESSAGE_BYTES = 1_048_576

sqs._NUMERIC_ATTR_RANGES["MaximumMessageSize"] = (1024, MAX_MESSAGE_BYTES)  # noqa: SLF001 - MiniStack has no option for it


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    refusal = refuse_web_page(_headers(scope)) if scope["type"] == "http" else None
    if refusal is not None:
        await _answer(refusal, send)
        return
    await ministack(scope, receive, send)


def _headers(scope: dict[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _answer(refusal: Refusal, send: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": refusal.body()})
