"""Translate an API Gateway event into one service call, and its result into an answer.

Every error has the shape of Stripe's errors.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from paydispatch.domain.errors import BadRequest, RequestNotFound, Unavailable
from paydispatch.handlers.api.answers import (
    accepted_answer,
    batch_answer,
    error_answer,
    failure_answer,
    json_answer,
    refusal_answer,
    status_answer,
    unavailable_answer,
    unhealthy_answer,
)
from paydispatch.handlers.api.bodies import json_object, request_of_call, requests_of_batch
from paydispatch.handlers.api.event_form import is_http_request
from paydispatch.handlers.api.events import sent_event
from paydispatch.handlers.api.urls import operation_of_url, unknown_url
from paydispatch.services.refuse_events import refuse_event
from paydispatch.services.status import status_of

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from paydispatch.domain.identity.principal import Principal
    from paydispatch.handlers.api.principals import PrincipalReader
    from paydispatch.ports import EventLog, RequestStore
    from paydispatch.services.accept import Acceptor
    from paydispatch.services.take_event import EventTaker


_OPENAPI = Path(__file__).with_name("openapi.json")
"""Written by `make schemas`."""

_EVENTS = r"/v1/stripe/events/[^/]+(?:/[^/]+)?"
"""The webhooks: `{name}` of the queue's tenant, or `{tenant}/{name}`. Without groups, because a route with groups would
be tried after `_ANY_WRITE`."""

_ANY_WRITE = r"/v1/[\s\S]+"
"""The route of every path below `/v1` that has no route of its own."""

TAKES = "requests of an API Gateway HTTP API with payload format 2.0"


class ApiHandler:
    """The HTTP API. One route takes every operation, because the table of operations has their paths."""

    def __init__(
        self,
        acceptor: Acceptor,
        requests: RequestStore,
        principals: PrincipalReader,
        log: EventLog,
        *,
        events: EventTaker,
        queue_tenant: str,
    ) -> None:
        self._acceptor = acceptor
        self._events = events
        self._requests = requests
        self._principals = principals
        self._log = log
        self._queue_tenant = queue_tenant
        self._routes = self._make_routes()

    def answer(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        if not is_http_request(event):
            return refusal_answer(refuse_event(event, takes=TAKES, log=self._log))
        return self._routes.resolve(event, context)

    def _make_routes(self) -> APIGatewayHttpResolver:
        # POWERTOOLS_DEV would print every event, and with it the key.
        routes = APIGatewayHttpResolver(debug=False)
        routes.get("/health")(self._health)
        routes.get("/v1/openapi.json")(self._openapi)
        routes.post("/v1/batches")(self._take_batch)
        routes.get("/v1/requests/<request_id>")(self._status)
        routes.post(_EVENTS)(self._take_event)
        routes.route(_ANY_WRITE, method=["POST", "DELETE"])(self._call)
        routes.exception_handler(BadRequest)(error_answer)
        routes.exception_handler(Unavailable)(unavailable_answer)
        routes.exception_handler(Exception)(self._fault)
        routes.not_found(self._not_found)
        return routes

    def _call(self) -> Response[str]:
        event = self._routes.current_event
        found = operation_of_url(event.http_method, event.path)
        if found is None:
            return self._unknown_url()
        principal = self._principal()
        request = request_of_call(*found, event)
        return accepted_answer(self._acceptor.accept(request, principal))

    def _take_batch(self) -> Response[str]:
        event, principal = self._routes.current_event, self._principal()
        requests = requests_of_batch(json_object(event), event)
        return batch_answer(self._acceptor.accept_all(requests, principal))

    def _status(self, request_id: str) -> Response[str]:
        tenant = self._principal().tenant
        shown = status_of(
            self._requests, request_id, tenant=tenant, queue_tenant=self._queue_tenant
        )
        if shown is None:
            raise RequestNotFound(request_id)
        return status_answer(shown)

    def _take_event(self) -> Response[str]:
        """Take an event of Stripe. Its signature stands for a sign-in."""
        sent = sent_event(self._routes.current_event, self._queue_tenant)
        return json_answer(200, {"received": True, "queued": self._events.take(sent)})

    def _health(self) -> Response[str]:
        try:
            self._requests.check()
        except Unavailable as error:
            self._log.warning("api.unhealthy", why=str(error))
            return unhealthy_answer(error)
        return json_answer(200, {"status": "ok"})

    def _openapi(self) -> Response[str]:
        return Response(200, "application/json", _OPENAPI.read_text("utf-8"))

    def _not_found(self, _: Exception) -> Response[str]:
        return self._unknown_url()

    def _unknown_url(self) -> Response[str]:
        event = self._routes.current_event
        return error_answer(unknown_url(event.http_method, event.path), status=404)

    def _fault(self, _: Exception) -> Response[str]:
        self._log.warning("api.fault", path=self._routes.current_event.path)
        return failure_answer()

    def _principal(self) -> Principal:
        return self._principals.read(self._routes.current_event.raw_event)
