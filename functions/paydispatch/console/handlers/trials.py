"""Try operations against the twin of a local stack: their forms, the API's answer, and the twin's faults and clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web

from paydispatch.console.handlers.answers import answer_of, body_of, json_answer
from paydispatch.domain.errors import UnknownOperation
from paydispatch.domain.parameters.check import parameter_schema
from paydispatch.domain.stripe.operations import all_operations, operation_named

if TYPE_CHECKING:
    from paydispatch.console.sources import Document, Trials

TWIN_CALLS = frozenset(
    {
        ("GET", "faults"),
        ("POST", "faults"),
        ("DELETE", "faults"),
        ("GET", "clock"),
        ("POST", "clock"),
    }
)
METHODS = frozenset({"POST", "DELETE"})


class TrialQuestions:
    def __init__(self, trials: Trials) -> None:
        self._trials = trials

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/data/operations", self.operations),
            web.get("/data/operations/{name}", self.operation),
            web.post("/data/rehearsals", self.rehearse),
            web.post("/data/submissions", self.submit),
            web.post("/data/twin", self.twin),
        ]

    async def operations(self, _request: web.Request) -> web.Response:
        rows = [
            {"name": one.name, "method": one.method, "path": one.path} for one in all_operations()
        ]
        return json_answer({"operations": rows})

    async def operation(self, request: web.Request) -> web.Response:
        try:
            found = operation_named(request.match_info["name"])
        except UnknownOperation as error:
            raise web.HTTPNotFound(reason=str(error)) from None
        return json_answer({"name": found.name, "schema": parameter_schema(found.name)})

    async def rehearse(self, request: web.Request) -> web.Response:
        asked = _asked(await body_of(request))
        return await answer_of(asyncio.to_thread(self._trials.rehearse, *asked))

    async def submit(self, request: web.Request) -> web.Response:
        return await answer_of(self._trials.submit(*_asked(await body_of(request))))

    async def twin(self, request: web.Request) -> web.Response:
        asked = await body_of(request)
        method, name = str(asked.get("method")), str(asked.get("name"))
        if (method, name) not in TWIN_CALLS:
            raise web.HTTPBadRequest(reason="name is not a control that the console has.")
        return await answer_of(self._trials.control_twin(method, name, asked.get("body")))


def _asked(asked: Document) -> tuple[str, str, dict[str, Any]]:
    """Return the method, the path and the body of a request for the API."""
    method, path, body = asked.get("method"), asked.get("path"), asked.get("body")
    if method not in METHODS or not isinstance(path, str) or not isinstance(body, dict):
        raise web.HTTPBadRequest(reason="Send method, path and body of a request.")
    return method, path, body
