"""Answer the page's questions, and run its commands. No answer holds a key."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.text.redaction import redact, redact_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

Document = dict[str, Any]

COMMANDS = frozenset(
    {
        "status",
        "doctor",
        "limits show",
        "pause",
        "resume",
        "dlq list",
        "dlq show",
        "dlq redrive",
        "reconcile",
    }
)
"""The commands of operators that the page may run. It erases nothing and sets no limit."""

LONGEST_SEARCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The parts that the console asks. None: this console has no way to it."""

    operate: Callable[[str, Mapping[str, Any]], Document]
    """Runs an operator's command. It blocks."""
    recent: Callable[[str], Awaitable[list[Document]]] | None = None
    trace: Callable[[str, str | None], Awaitable[Document | None]] | None = None
    twin: Callable[[str, str, Mapping[str, Any] | None], Awaitable[Document]] | None = None
    submit: Callable[[str, Mapping[str, Any]], Awaitable[Document]] | None = None


class Questions:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/data/features", self.features),
            web.get("/data/requests", self.requests),
            web.get("/data/requests/{request_id}", self.request),
            web.post("/data/commands", self.command),
            web.post("/data/twin", self.twin),
            web.post("/data/submit", self.submit),
        ]

    async def features(self, _request: web.Request) -> web.Response:
        has = self._sources
        return _json(
            {
                "requests": has.recent is not None,
                "twin": has.twin is not None,
                "submit": has.submit is not None,
            }
        )

    async def requests(self, request: web.Request) -> web.Response:
        if self._sources.recent is None:
            return _json({"requests": []})
        text = request.query.get("q", "")[:LONGEST_SEARCH]
        return await _answer(_as_list(self._sources.recent(text)))

    async def request(self, request: web.Request) -> web.Response:
        id_, tenant = request.match_info["request_id"], request.query.get("tenant")
        if self._sources.trace is not None:
            return await _answer(_as_request(self._sources.trace(id_, tenant)))
        given = {"request_id": id_, **({"tenant": tenant} if tenant else {})}
        return await _answer(asyncio.to_thread(self._sources.operate, "status", given))

    async def command(self, request: web.Request) -> web.Response:
        asked = await _body(request)
        name, given = asked.get("command"), asked.get("arguments", {})
        if not isinstance(name, str) or name not in COMMANDS or not isinstance(given, dict):
            raise web.HTTPBadRequest(reason="command is not one that the console runs.")
        return await _answer(asyncio.to_thread(self._sources.operate, name, given))

    async def twin(self, request: web.Request) -> web.Response:
        asked = await _body(request)
        if self._sources.twin is None:
            raise web.HTTPNotFound(reason="This console has no twin.")
        method, name = str(asked.get("method")), str(asked.get("name"))
        if (method, name) not in TWIN_CALLS:
            raise web.HTTPBadRequest(reason="name is not a control that the console has.")
        return await _answer(self._sources.twin(method, name, asked.get("body")))

    async def submit(self, request: web.Request) -> web.Response:
        asked = await _body(request)
        if self._sources.submit is None or not isinstance(asked.get("body"), dict):
            raise web.HTTPBadRequest(reason="Send path and body to a console of a local stack.")
        return await _answer(self._sources.submit(str(asked.get("path")), asked["body"]))


TWIN_CALLS = {
    ("GET", "faults"),
    ("POST", "faults"),
    ("DELETE", "faults"),
    ("GET", "clock"),
    ("POST", "clock"),
}


async def _as_list(found: Awaitable[list[Document]]) -> Document:
    return {"requests": await found}


async def _as_request(found: Awaitable[Document | None]) -> Document:
    return {"request": await found}


async def _body(request: web.Request) -> Document:
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(reason="Send application/json.")
    try:
        asked = await request.json()
    except ValueError:
        raise web.HTTPBadRequest(reason="The body is not JSON.") from None
    if not isinstance(asked, dict):
        raise web.HTTPBadRequest(reason="Send a JSON object.")
    return asked


async def _answer(work: Awaitable[Document]) -> web.Response:
    try:
        return _json(await work)
    except PaydispatchError as error:
        return _json({"error": redact(str(error))}, status=502)


def _json(document: Document, status: int = 200) -> web.Response:
    text = json.dumps(redact_json(document))
    return web.Response(text=text, status=status, content_type="application/json")
