"""Answer the page's questions about requests, and run its commands."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from aiohttp import web

from paydispatch.console.handlers.answers import answer_of, body_of, json_answer

if TYPE_CHECKING:
    from paydispatch.console.sources import Document, Sources
    from paydispatch.services.recent import RecentRequests

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
        "flows dead list",
        "flows dead rerun",
        "reconcile",
    }
)
"""The commands of operators that the page may run. It erases nothing and sets no limit."""

LONGEST_SEARCH = 200
WINDOW_S = 600.0
"""The time that the plots show."""


class Questions:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._dead_letters = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/data/features", self.features),
            web.get("/data/requests", self.requests),
            web.get("/data/figures", self.figures),
            web.get("/data/requests/{request_id}", self.request),
            web.post("/data/commands", self.command),
        ]

    async def features(self, _request: web.Request) -> web.Response:
        has = self._sources
        return json_answer({"trials": has.trials is not None, "pace": has.pace})

    async def requests(self, request: web.Request) -> web.Response:
        text = request.query.get("q", "")[:LONGEST_SEARCH]

        async def find() -> Document:
            return {"requests": await self._recent().find(text)}

        return await answer_of(find())

    async def figures(self, _request: web.Request) -> web.Response:
        return await answer_of(self._recent().figures(window_s=WINDOW_S))

    async def request(self, request: web.Request) -> web.Response:
        id_, tenant = request.match_info["request_id"], request.query.get("tenant")
        return await answer_of(self._trace(id_, tenant))

    async def command(self, request: web.Request) -> web.Response:
        asked = await body_of(request)
        name, given = asked.get("command"), asked.get("arguments", {})
        if not isinstance(name, str) or name not in COMMANDS or not isinstance(given, dict):
            raise web.HTTPBadRequest(reason="command is not one that the console runs.")
        return await answer_of(self._run(name, given))

    async def _run(self, name: str, given: Document) -> Document:
        # A walk through the dead letters hides them from every other walk until it ends.
        async with self._dead_letters if name.startswith("dlq ") else nullcontext():
            return await asyncio.to_thread(self._sources.operate, name, given)

    async def _trace(self, request_id: str, tenant: str | None) -> Document:
        if self._sources.trace is not None:
            return {"request": await self._sources.trace(request_id, tenant)}
        given: dict[str, Any] = {"request_id": request_id, "trace": True}
        named = {"tenant": tenant} if tenant else {}
        return await asyncio.to_thread(self._sources.operate, "status", given | named)

    def _recent(self) -> RecentRequests:
        if self._sources.recent is None:
            raise web.HTTPNotFound(reason="This console has no list of requests.")
        return self._sources.recent
