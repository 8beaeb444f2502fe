"""Translate an API Gateway event into one service call, and its result into an answer.

Every error has the shape of Stripe's errors.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import BadRequest, RequestNotFound, Unavailable
from paydispatch.handlers.api.answers import (
    accepted_answer,
    batch_answer,
    error_answer,
    failure_answer,
    json_answer,
    outcome_answer,
    refusal_answer,
    status_answer,
    unavailable_answer,
    unhealthy_answer,
    with_wait,
)
from paydispatch.handlers.api.bodies import json_object, request_of_call, requests_of_batch
from paydispatch.handlers.api.event_form import is_http_request
from paydispatch.handlers.api.events import sent_event
from paydispatch.handlers.api.http import HttpAnswer, HttpRequest
from paydispatch.handlers.api.preferences import preferred_wait_s
from paydispatch.handlers.api.urls import operation_of_url, unknown_url
from paydispatch.services.refuse_events import refuse_event
from paydispatch.services.status import format_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from paydispatch.domain.identity.principal import Principal
    from paydispatch.handlers.api.principals import PrincipalReader
    from paydispatch.ports import EventLog, RequestStore
    from paydispatch.services.accept import Accepted, Acceptor
    from paydispatch.services.take_event import EventTaker
    from paydispatch.services.wait_for_outcome import OutcomeWaiter


_OPENAPI = Path(__file__).with_name("openapi.json")
"""Written by `make schemas`."""

_STATUS = re.compile(r"/v1/requests/[^/]+")
_EVENTS = re.compile(r"/v1/stripe/events/[^/]+(?:/[^/]+)?")
"""The webhooks: `{name}` of the queue's tenant, or `{tenant}/{name}`."""

_WRITES = frozenset({"POST", "DELETE"})

TAKES = "requests of an API Gateway HTTP API with payload format 2.0"


class ApiHandler:
    """The HTTP API. Every write that has no route of its own is an operation, because their table has the paths."""

    def __init__(
        self,
        acceptor: Acceptor,
        requests: RequestStore,
        principals: PrincipalReader,
        log: EventLog,
        *,
        events: EventTaker,
        waiter: OutcomeWaiter,
        queue_tenant: str,
    ) -> None:
        self._acceptor = acceptor
        self._events = events
        self._waiter = waiter
        self._requests = requests
        self._principals = principals
        self._log = log
        self._queue_tenant = queue_tenant
        self._routes: dict[str, Callable[[HttpRequest], HttpAnswer]] = {
            "GET /health": self._health,
            "GET /v1/openapi.json": self._openapi,
            "POST /v1/batches": self._take_batch,
        }

    def answer(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        if not is_http_request(event):
            refusal = refuse_event(event, takes=TAKES, log=self._log)
            return refusal_answer(refusal).as_payload()
        left_s = context.get_remaining_time_in_millis() / 1000
        return self._answer(HttpRequest.from_event(event, left_s)).as_payload()

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        try:
            return self._route(request)(request)
        except BadRequest as error:
            return error_answer(error)
        except Unavailable as error:
            return unavailable_answer(error)
        except Exception:
            self._log.warning("api.fault", path=request.path)
            return failure_answer()

    def _route(self, request: HttpRequest) -> Callable[[HttpRequest], HttpAnswer]:
        method, path = request.method, request.path
        named = self._routes.get(f"{method} {path}")
        if named is not None:
            return named
        if method == "GET" and _STATUS.fullmatch(path):
            return self._status
        if method == "POST" and _EVENTS.fullmatch(path):
            return self._take_event
        return self._call if method in _WRITES and path.startswith("/v1/") else _unknown_url

    def _call(self, request: HttpRequest) -> HttpAnswer:
        found = operation_of_url(request.method, request.path)
        if found is None:
            return _unknown_url(request)
        principal = self._principal(request)
        accepted = self._acceptor.accept(request_of_call(*found, request), principal)
        wait_s = preferred_wait_s(request)
        if not wait_s:
            return accepted_answer(accepted)
        return self._answer_outcome(accepted, principal.tenant, wait_s)

    def _answer_outcome(self, accepted: Accepted, tenant: str, wait_s: int) -> HttpAnswer:
        """Answer with the outcome of an accepted request, or that it is accepted if the outcome takes longer."""
        record = self._waiter.wait_after_acceptance(accepted.request_id, tenant, wait_s)
        return with_wait(wait_s, outcome_answer(accepted, record))

    def _take_batch(self, request: HttpRequest) -> HttpAnswer:
        principal = self._principal(request)
        requests = requests_of_batch(json_object(request), request)
        return batch_answer(self._acceptor.accept_all(requests, principal))

    def _status(self, request: HttpRequest) -> HttpAnswer:
        """Answer with the status of a request. With a `fingerprint`, only if the id stands for that request."""
        request_id = request.path.rpartition("/")[2]
        fingerprint = request.query.get("fingerprint")
        wait_s = preferred_wait_s(request)
        tenant = self._principal(request).tenant
        record = self._waiter.wait(request_id, tenant, wait_s, fingerprint)
        if record is None:
            raise RequestNotFound(request_id)
        told = {} if fingerprint is None else {"fingerprint": fingerprint}
        return with_wait(wait_s, status_answer({**format_status(record), **told}))

    def _take_event(self, request: HttpRequest) -> HttpAnswer:
        """Take an event of Stripe. Its signature stands for a sign-in."""
        sent = sent_event(request, self._queue_tenant)
        return json_answer(200, {"received": True, "queued": self._events.take(sent)})

    def _health(self, _: HttpRequest) -> HttpAnswer:
        try:
            self._requests.check()
        except Unavailable as error:
            self._log.warning("api.unhealthy", why=str(error))
            return unhealthy_answer(error)
        return json_answer(200, {"status": "ok"})

    def _openapi(self, _: HttpRequest) -> HttpAnswer:
        return HttpAnswer(200, _OPENAPI.read_text("utf-8"))

    def _principal(self, request: HttpRequest) -> Principal:
        return self._principals.read(request.event)


def _unknown_url(request: HttpRequest) -> HttpAnswer:
    return error_answer(unknown_url(request.method, request.path), status=404)
