"""Translate an API Gateway event into one service call, and its result into an answer.

Every error has the shape of Stripe's errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from paydispatch.domain.errors import BadRequest, InvalidField, RequestNotFound, Unavailable
from paydispatch.domain.stripe.resources import RESOURCES, Resource
from paydispatch.handlers.api.answers import (
    batch_answer,
    create_answer,
    error_answer,
    failure_answer,
    json_answer,
    refusal_answer,
    status_answer,
    unavailable_answer,
    unhealthy_answer,
)
from paydispatch.handlers.api.bodies import create_request, json_object, requests_of_batch
from paydispatch.services.refuse_events import refuse_event
from paydispatch.services.status import status_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from paydispatch.domain.identity.principal import Principal
    from paydispatch.handlers.api.principals import PrincipalReader
    from paydispatch.ports import EventLog, RequestStore
    from paydispatch.services.accept import Acceptor


_OPENAPI = Path(__file__).with_name("openapi.json")
"""Written by `make schemas`."""

TAKES = "requests of an API Gateway HTTP API with payload format 2.0"


class ApiHandler:
    """The HTTP API. Each row of the table of objects has one route."""

    def __init__(
        self,
        acceptor: Acceptor,
        requests: RequestStore,
        principals: PrincipalReader,
        log: EventLog,
        *,
        queue_tenant: str,
    ) -> None:
        self._acceptor = acceptor
        self._requests = requests
        self._principals = principals
        self._log = log
        self._queue_tenant = queue_tenant
        self._routes = self._make_routes()

    def answer(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        if not _is_http_request(event):
            return refusal_answer(refuse_event(event, takes=TAKES, log=self._log))
        return self._routes.resolve(event, context)

    def _make_routes(self) -> APIGatewayHttpResolver:
        # POWERTOOLS_DEV would print every event, and with it the key.
        routes = APIGatewayHttpResolver(debug=False)
        routes.get("/health")(self._health)
        routes.get("/v1/openapi.json")(self._openapi)
        routes.post("/v1/batches")(self._create_batch)
        routes.get("/v1/requests/<request_id>")(self._status)
        for resource in RESOURCES:
            routes.post(resource.endpoint)(self._make_create(resource))
        routes.exception_handler(BadRequest)(error_answer)
        routes.exception_handler(Unavailable)(unavailable_answer)
        routes.exception_handler(Exception)(self._fault)
        routes.not_found(self._not_found)
        return routes

    def _make_create(self, resource: Resource) -> Callable[[], Response[str]]:
        def create() -> Response[str]:
            event, principal = self._routes.current_event, self._principal()
            request = create_request(resource.name, event)
            return create_answer(self._acceptor.accept(request, principal))

        return create

    def _create_batch(self) -> Response[str]:
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
        event = self._routes.current_event
        known = ", ".join(f"POST {resource.endpoint}" for resource in RESOURCES)
        message = f"Unrecognized request URL ({event.http_method}: {event.path[:100]}). There are: {known}."
        return error_answer(InvalidField(None, message, code="url_unknown"), status=404)

    def _fault(self, _: Exception) -> Response[str]:
        self._log.warning("api.fault", path=self._routes.current_event.path)
        return failure_answer()

    def _principal(self) -> Principal:
        return self._principals.read(self._routes.current_event.raw_event)


def _is_http_request(event: object) -> bool:
    if not isinstance(event, Mapping) or "rawPath" not in event:
        return False
    context = event.get("requestContext")
    return isinstance(context, Mapping) and "http" in context and "stage" in context
