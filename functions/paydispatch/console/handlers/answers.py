"""Read the page's questions, and write answers without keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import web

from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.text.redaction import redact, redact_json

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from paydispatch.console.sources import Document


async def body_of(request: web.Request) -> Document:
    """Return the JSON object that the page sent. Raises `web.HTTPException`."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(reason="Send application/json.")
    try:
        asked = await request.json()
    except ValueError:
        raise web.HTTPBadRequest(reason="The body is not JSON.") from None
    if not isinstance(asked, dict):
        raise web.HTTPBadRequest(reason="Send a JSON object.")
    return asked


async def answer_of(work: Awaitable[Document]) -> web.Response:
    """Answer with the document of `work`, or with its error as a 502."""
    try:
        return json_answer(await work)
    except PaydispatchError as error:
        return json_answer({"error": redact(str(error))}, status=502)


def json_answer(document: Document, status: int = 200) -> web.Response:
    text = json.dumps(redact_json(document))
    return web.Response(text=text, status=status, content_type="application/json")
