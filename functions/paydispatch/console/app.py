"""Build the console's web application."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from paydispatch.console.guard import Guard, Handler
from paydispatch.console.handlers.questions import Questions
from paydispatch.console.handlers.trials import TrialQuestions

if TYPE_CHECKING:
    from paydispatch.console.sources import Sources

STATIC = Path(__file__).with_name("static")
MOST_BYTES = 262_144


def build_app(sources: Sources, *, token: str, port: int) -> web.Application:
    """Return the application for one address. Each request passes the guard, also those for files."""
    guard = Guard(token, port)

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await guard(request, handler)

    app = web.Application(middlewares=[guarded], client_max_size=MOST_BYTES)
    app.add_routes([web.get("/", _page), *Questions(sources).routes()])
    if sources.trials is not None:
        app.add_routes(TrialQuestions(sources.trials).routes())
    app.router.add_static("/static", STATIC)
    return app


async def _page(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(STATIC / "index.html")
