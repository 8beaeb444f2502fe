"""Ask the API for its answer to a request that nobody makes: its own handler and services, on ports in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from paydispatch.adapters.clock import SystemClock
from paydispatch.handlers.api.handler import ApiHandler
from paydispatch.handlers.api.principals import PrincipalReader
from paydispatch.services.accept import Acceptor
from paydispatch.services.take_event import EventTaker
from paydispatch.services.wait_for_outcome import OutcomeWaiter
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_queues import MemoryRequestQueue
from paydispatch.testing.memory_requests import MemoryRequestStore
from paydispatch.testing.memory_sealing import MemorySealer
from paydispatch.testing.memory_webhooks import MemoryWebhookSecrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from paydispatch.console.sources import Document

TENANT = "local"
LEFT_MS = 10_000


class _Invocation:
    """The part of Lambda's context that the handler reads."""

    def get_remaining_time_in_millis(self) -> int:
        return LEFT_MS


def answer_of_api(method: str, path: str, body: Mapping[str, Any]) -> Document:
    """Return `{"http_status", "answer"}`. Each call has ports of its own, so that none replays an earlier one."""
    event = {
        "rawPath": path,
        "body": json.dumps(body),
        "requestContext": {"stage": "$default", "http": {"method": method}},
    }
    said = _api().answer(event, cast("LambdaContext", _Invocation()))
    return {"http_status": said["statusCode"], "answer": json.loads(said["body"])}


def _api() -> ApiHandler:
    requests, clock, log = MemoryRequestStore(), SystemClock(), MemoryEventLog()
    acceptor = Acceptor(
        queue=MemoryRequestQueue(),
        sealer=MemorySealer(),
        requests=requests,
        clock=clock,
        log=log,
        queue_tenant=TENANT,
    )
    events = EventTaker(None, MemoryWebhookSecrets(), requests, clock, log, queue_tenant=TENANT)
    return ApiHandler(
        acceptor,
        requests,
        PrincipalReader(sign_in=False, tenant_claim="tenant"),
        log,
        events=events,
        waiter=OutcomeWaiter(requests, clock, lambda _: None, queue_tenant=TENANT),
        queue_tenant=TENANT,
    )
