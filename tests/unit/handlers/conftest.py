"""Events as AWS sends them, and the API over in-memory ports."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.handlers.api.handler import ApiHandler
from paydispatch.handlers.api.principals import PrincipalReader
from paydispatch.services.accept import Acceptor
from paydispatch.services.take_event import EventTaker
from paydispatch.services.wait_for_outcome import OutcomeWaiter
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_queues import MemoryLookQueue, MemoryRequestQueue
from paydispatch.testing.memory_requests import MemoryRequestStore
from paydispatch.testing.memory_sealing import MemorySealer
from paydispatch.testing.memory_webhooks import MemoryWebhookSecrets

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE_TENANT = "local"


@dataclass
class Context:
    """The part of a `LambdaContext` that the handlers use."""

    left_ms: int = 300_000
    function_name: str = "function"
    aws_request_id: str = "invocation-1"

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        """The error of this answer, which must have the fields of a Stripe error."""
        error: dict[str, Any] = self.json["error"]
        assert {"type", "code", "message"} <= error.keys()
        return error


def http_event(
    method: str,
    path: str,
    body: str | None = None,
    *,
    headers: dict[str, str] | None = None,
    authorizer: dict[str, Any] | None = None,
    encoded: bool = False,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Return an event of an HTTP API, payload format 2.0."""
    context: dict[str, Any] = {
        "http": {"method": method, "path": path, "sourceIp": "203.0.113.7"},
        "stage": "$default",
        "requestId": "api-1",
    }
    if authorizer is not None:
        context["authorizer"] = authorizer
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": context,
        "isBase64Encoded": encoded,
    }
    if query is not None:
        event["queryStringParameters"] = query
    if body is not None:
        event["body"] = base64.b64encode(body.encode()).decode() if encoded else body
    return event


class Client:
    """A client of an API over in-memory ports."""

    def __init__(self, *, sign_in: bool = False) -> None:
        self.clock = MemoryClock()
        self.log = MemoryEventLog()
        self.queue = MemoryRequestQueue()
        self.look_queue: MemoryLookQueue | None = MemoryLookQueue()
        self.webhooks = MemoryWebhookSecrets()
        self.sealer = MemorySealer()
        self.requests = MemoryRequestStore()
        self.stripe_api_version = STRIPE_API_VERSION
        self.principals = PrincipalReader(sign_in=sign_in, tenant_claim="tenant")
        self.meanwhile: Callable[[float], object] = lambda _now_s: None
        self.context = Context()

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        api: ApiHandler | None = None,
        **options: Any,
    ) -> Answer:
        """Send `body` as JSON, or unchanged if it is text. `api`: to this one, which saves the time to make one."""
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        raw = (api or self.api()).answer(http_event(method, path, text, **options), self.context)
        headers = raw.get("headers", {}) | {
            name: values[0] for name, values in raw.get("multiValueHeaders", {}).items()
        }
        return Answer(raw["statusCode"], headers, raw["body"])

    def post(self, path: str, body: Any, **options: Any) -> Answer:
        return self.send("POST", path, body, **options)

    def get(self, path: str, **options: Any) -> Answer:
        return self.send("GET", path, **options)

    def api(self) -> ApiHandler:
        acceptor = Acceptor(
            queue=self.queue,
            sealer=self.sealer,
            requests=self.requests,
            clock=self.clock,
            log=self.log,
            queue_tenant=QUEUE_TENANT,
            stripe_api_version=self.stripe_api_version,
        )
        return ApiHandler(
            acceptor,
            self.requests,
            self.principals,
            self.log,
            events=EventTaker(
                self.look_queue,
                self.webhooks,
                self.requests,
                self.clock,
                self.log,
                queue_tenant=QUEUE_TENANT,
            ),
            waiter=OutcomeWaiter(self.requests, self.clock, self.pause, queue_tenant=QUEUE_TENANT),
            queue_tenant=QUEUE_TENANT,
        )

    def pause(self, seconds: float) -> None:
        """Let the time pass, and call `meanwhile`, in which a test lets an outcome come."""
        self.clock.advance(seconds)
        self.meanwhile(self.clock.now_s())


@pytest.fixture
def client() -> Client:
    """A client of an API without sign-in, as on one machine."""
    return Client()


@pytest.fixture
def aws_client() -> Client:
    """A client of an API with sign-in, as behind API Gateway."""
    return Client(sign_in=True)
