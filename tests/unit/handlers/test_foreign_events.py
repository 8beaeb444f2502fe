"""Each function refuses a foreign event with one log line and one error that names its own kind of event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY
from tests.unit.handlers.conftest import Client, Context, http_event

from paydispatch.domain.errors import UnexpectedEvent
from paydispatch.handlers.flow_runner import answer_doorbells
from paydispatch.handlers.reconciler import settle_unknowns
from paydispatch.handlers.stripe_caller import work_on
from paydispatch.testing.memory_event_log import MemoryEventLog

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

CONSOLE = {"key1": KEY, "key2": "value2", "key3": "value3"}
REST_V1 = {
    "resource": "/v1/products",
    "path": "/v1/products",
    "httpMethod": "POST",
    "headers": {"Authorization": KEY},
    "requestContext": {"resourcePath": "/v1/products", "httpMethod": "POST", "stage": "prod"},
    "body": KEY,
}
ALB = {
    "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:…"}},
    "httpMethod": "POST",
    "path": "/v1/products",
    "body": KEY,
}
SNS = {"Records": [{"EventSource": "aws:sns", "Sns": {"Message": KEY}}]}
SCHEDULE = {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}}
QUEUE = {"Records": [{"messageId": "m-1", "body": KEY, "eventSource": "aws:sqs"}]}
DIRECT = {"worker_id": "w", "stripe_secret": KEY}

NAMED: dict[str, tuple[Any, str]] = {
    "console": (CONSOLE, "a test event of the Lambda console"),
    "REST API": (REST_V1, "an event of a REST API"),
    "load balancer": (ALB, "an event of an Application Load Balancer"),
    "WebSocket API": ({"requestContext": {"connectionId": "c"}}, "an event of a WebSocket API"),
    "SNS": (SNS, "records of aws:sns"),
    "odd records": ({"Records": [7]}, "records of an unknown source"),
    "direct": (DIRECT, "an unknown event with the fields worker_id, stripe_secret"),
    "a name that is a key": ({KEY: 1}, "with the fields sk_test_[hidden]"),
    "a list": ([], "a list instead of an event"),
    "text": (KEY, "a str instead of an event"),
    "null": (None, "a NoneType instead of an event"),
}
FOREIGN = {
    "api": {"empty": ({}, "an empty event"), "schedule": (SCHEDULE, "EventBridge"), **NAMED},
    "stripe_caller": {
        "empty": ({}, "an empty event"),
        "schedule": (SCHEDULE, "an event of EventBridge"),
        "HTTP API": (http_event("GET", "/"), "an event of an HTTP API"),
        **NAMED,
    },
    "flow_runner": {"HTTP API": (http_event("GET", "/"), "an event of an HTTP API"), **NAMED},
    "reconciler": {"queue": (QUEUE, "records of aws:sqs"), **NAMED},
}


def cases(*functions: str) -> list[Any]:
    return [
        pytest.param(function, event, came, id=f"{function}: {name}")
        for function in functions
        for name, (event, came) in FOREIGN[function].items()
    ]


HANDLERS: dict[str, Callable[..., Awaitable[Any]]] = {
    "stripe_caller": work_on,
    "flow_runner": answer_doorbells,
    "reconciler": settle_unknowns,
}


@pytest.mark.parametrize(("function", "event", "came"), cases(*HANDLERS))
async def test_an_event_of_another_kind_is_one_line_and_one_error(
    function: str, event: Any, came: str
) -> None:
    log, service = MemoryEventLog(), object()
    with pytest.raises(UnexpectedEvent, match=r"This function takes .*\. It received") as refusal:
        await HANDLERS[function](event, Context(), service, log)
    assert came in str(refusal.value)
    assert log.events() == ["event.refused"]
    assert KEY not in repr((log.lines, str(refusal.value)))


@pytest.mark.parametrize(("function", "event", "came"), cases("api"))
def test_the_api_answers_a_foreign_event_with_a_501_that_names_its_format(
    client: Client, function: str, event: Any, came: str
) -> None:
    answer = client.api().answer(event, Context())
    assert answer["statusCode"] == 501
    assert came in answer["body"]
    assert "payload format 2.0" in answer["body"]
    assert client.log.events() == ["event.refused"]
    assert KEY not in repr((client.log.lines, answer))


@pytest.mark.parametrize("event", [{}, SCHEDULE])
async def test_an_empty_event_drains_all_workers_like_a_schedule(event: dict[str, Any]) -> None:
    class Server:
        longest_run_s = 30.0
        asked: Any = None

        async def drain_all(self, worker_ids: Any, *, until: float) -> int:
            self.asked = ("all", worker_ids)
            return 0

    server: Any = Server()
    context: Any = Context()
    await answer_doorbells(event, context, server, MemoryEventLog())
    assert server.asked == ("all", None)


MISTYPED: dict[str, Any] = {
    "a path that is a list": {"rawPath": []},
    "headers that are text": {"headers": "a: b"},
    "a header that is a number": {"headers": {"idempotency-key": 7}},
    "a body that is an object": {"body": {"worker_id": "w"}},
    "a flag that is text": {"isBase64Encoded": "true"},
    "no method": {"requestContext": {"http": {}, "stage": "$default"}},
    "a stage that is null": {"requestContext": {"http": {"method": "GET"}, "stage": None}},
}


@pytest.mark.parametrize("changes", MISTYPED.values(), ids=MISTYPED)
def test_an_event_with_a_part_of_a_wrong_type_is_refused_as_a_foreign_one(
    client: Client, changes: dict[str, Any]
) -> None:
    """An operator's test event may be such a one. API Gateway sends none."""
    event = http_event("POST", "/v1/products", "{}") | changes
    answer = client.api().answer(event, Context())
    assert answer["statusCode"] == 501
    assert client.log.events() == ["event.refused"]


def test_an_authorizer_that_found_nobody_is_no_sign_in(aws_client: Client) -> None:
    answer = aws_client.send("GET", "/v1/requests/pdr_1", authorizer={"jwt": None, "iam": None})
    assert answer.status == 401
