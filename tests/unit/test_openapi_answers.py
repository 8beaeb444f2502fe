"""The document and the API agree on every answer, so that neither can change without the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from openapi.answer_schemas import answer_schemas
from openapi.document import document
from openapi.request_bodies import example_body
from stripe import WebhookSignature
from tests.unit.examples import make_failure, make_success
from tests.unit.handlers.conftest import Client
from tests.unit.openapi_schemas import validator
from tests.unit.queues import LosingQueue

from paydispatch.domain.limits import QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.rates.tokens import Why
from paydispatch.domain.rates.waiting import Waiting
from paydispatch.domain.requests import Lane
from paydispatch.domain.stripe.operations import all_operations, operation_named
from paydispatch.domain.stripe.resources import RESOURCES, Resource
from paydispatch.domain.web.stripe_signatures import SigningSecret
from paydispatch.handlers.api.events import EVENT_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.handlers.conftest import Answer

    Call = Callable[[Resource], Answer]

ROW = RESOURCES[0]
WAITING = {"prefer": "wait=1"}
KEYED = {"idempotency-key": "order-1"}
TENANT_WITH_A_SLASH = {"jwt": {"claims": {"tenant": "shop/bank", "sub": "checkout"}}}

BATCHES, STATUS = "/v1/batches", "/v1/requests/{request_id}"


def create_accepted(row: Resource) -> Answer:
    return Client().post(row.endpoint, example_body(operation_named(row.operation)))


def create_replayed(row: Resource) -> Answer:
    client = Client()
    client.post(row.endpoint, example_body(operation_named(row.operation)), headers=KEYED)
    return client.post(row.endpoint, example_body(operation_named(row.operation)), headers=KEYED)


def unknown_to_us(row: Resource) -> dict[str, Any]:
    """Return the body of a create with more unknown names than an answer to a thousand items lists."""
    body = example_body(operation_named(row.operation))
    return body | {"params": body["params"] | {f"tea_{number}": "x" for number in range(20)}}


def create_warned(row: Resource) -> Answer:
    return client_of_another_version().post(row.endpoint, unknown_to_us(row))


def batch_warned(_: Resource) -> Answer:
    item = {"object": ROW.name, **unknown_to_us(ROW)}
    return client_of_another_version().post(BATCHES, {"requests": [item] * 1_000})


def client_of_another_version() -> Client:
    client = Client()
    client.stripe_api_version = "2027-03-31.flora"
    return client


def create_settled(row: Resource) -> Answer:
    """Return the answer to a create that waits for its outcome, with warnings and an answer that is too large."""
    client = client_of_another_version()

    def settle(_: float) -> None:
        (slot,) = client.requests.store.slots.values()
        slot.status, slot.outcome = "succeeded", make_success(body={"x": "x" * 6_000_000})

    client.meanwhile = settle
    return client.post(row.endpoint, unknown_to_us(row), headers=WAITING)


def create_waited(row: Resource) -> Answer:
    body = example_body(operation_named(row.operation))
    return Client().post(row.endpoint, body, headers=WAITING)


def create_malformed(row: Resource) -> Answer:
    return Client().post(row.endpoint, {})


def create_unsigned(row: Resource) -> Answer:
    return Client(sign_in=True).post(row.endpoint, example_body(operation_named(row.operation)))


def create_conflicting(row: Resource) -> Answer:
    client = Client()
    client.post(row.endpoint, example_body(operation_named(row.operation)), headers=KEYED)
    other = example_body(operation_named(row.operation)) | {"context_id": "context-2"}
    return client.post(row.endpoint, other, headers=KEYED)


def create_too_large(row: Resource) -> Answer:
    return Client().post(row.endpoint, " " * (QUEUE_MESSAGE_LIMIT_BYTES + 1))


def create_refused(row: Resource) -> Answer:
    return Client().post(
        row.endpoint,
        example_body(operation_named(row.operation)) | {"params": {"colour": "red", "size": 1}},
    )


def create_broken(row: Resource) -> Answer:
    return broken_api().post(row.endpoint, example_body(operation_named(row.operation)))


def create_unavailable(row: Resource) -> Answer:
    client = Client()
    client.queue.away = True
    return client.post(row.endpoint, example_body(operation_named(row.operation)))


def create_lost(row: Resource) -> Answer:
    client = Client()
    client.queue = LosingQueue()
    return client.post(row.endpoint, example_body(operation_named(row.operation)))


def batch_of(client: Client, *changes: dict[str, Any]) -> Answer:
    items = [
        {"object": ROW.name, **example_body(operation_named(ROW.operation)), **change}
        for change in changes
    ]
    return client.post(BATCHES, {"requests": items}, headers=KEYED)


def batch_mixed(_: Resource) -> Answer:
    """Return the answer to a batch with one result of each kind."""
    client, large = Client(), "x" * QUEUE_MESSAGE_LIMIT_BYTES
    batch_of(client, {})
    answer = batch_of(
        client,
        {},
        {"idempotency_key": "another"},
        {"idempotency_key": "another", "context_id": "context-2"},
        {"worker_id": ""},
        {"object": "tea"},
        {"params": {"colour": "red"}},
        {"params": {"name": large}},
    )
    statuses = [result.get("http_status", 202) for result in answer.json["results"]]
    assert statuses == [202, 202, 409, 400, 404, 422, 413]
    return answer


def batch_unavailable(_: Resource) -> Answer:
    client = Client()
    client.queue.away = True
    return batch_of(client, {})


def batch_lost(_: Resource) -> Answer:
    client = Client()
    client.queue = LosingQueue()
    return batch_of(client, {})


def batch_of_many_faults(_: Resource) -> Answer:
    faulty = {"params": {f"colour{number}": "red" for number in range(30)}}
    answer = batch_of(Client(), *[faulty] * 1_000)
    assert answer.json["results"][0]["more_errors"]
    return answer


def status_with(status: str, **known: Any) -> Call:
    """Return a call for the status of a request that has `status` and `known` in its slot."""

    def call(row: Resource) -> Answer:
        client = Client()
        location = client.post(row.endpoint, example_body(operation_named(row.operation))).headers[
            "Location"
        ]
        (slot,) = client.requests.store.slots.values()
        for name, value in {"status": status, **known}.items():
            setattr(slot, name, value)
        answer = client.get(location)
        assert answer.json["status"] == status
        return answer

    return call


def status_asked(query: dict[str, str] | None = None, **known: Any) -> Answer:
    """Return the status of a request, asked for with its fingerprint or with that of another one."""
    client = Client()
    location = client.post(ROW.endpoint, example_body(operation_named(ROW.operation))).headers[
        "Location"
    ]
    own = {"fingerprint": str(client.queue.sent[0].fingerprint)}
    return client.get(location, query=query or own, **known)


def status_unavailable(_: Resource) -> Answer:
    client = Client()
    client.requests.away = True
    return client.get("/v1/requests/pdr_1")


def unhealthy(_: Resource) -> Answer:
    client = Client()
    client.requests.away = True
    return client.get("/health")


def broken_api() -> Client:
    client = Client()
    client.sealer = client.requests = None  # type: ignore[assignment]
    return client


EVENTS, EVENTS_OF_TENANT = "/v1/stripe/events/{name}", "/v1/stripe/events/{tenant}/{name}"
OF_WEBHOOK = {EVENTS: "/v1/stripe/events/main", EVENTS_OF_TENANT: "/v1/stripe/events/shop/main"}


def send_event(path: str, body: str = "{}", *, signed_by: str = "whsec_1", **away: bool) -> Answer:
    """Send a signed event. `away`: a part of the API that is unavailable, or is missing if the value is False."""
    client = Client()
    client.webhooks.secrets = {
        (tenant, "main"): [SigningSecret("whsec_1")] for tenant in ("local", "shop")
    }
    for part, is_away in away.items():
        if is_away:
            getattr(client, part).away = True
        else:
            setattr(client, part, None)
    header = WebhookSignature.generate_signature_header(body, signed_by, int(client.clock.now_s()))
    return client.send("POST", OF_WEBHOOK[path], body, headers={"stripe-signature": header})


def event_answers(path: str) -> dict[int, list[Call]]:
    return {
        200: [lambda _: send_event(path)],
        400: [lambda _: send_event(path, signed_by="whsec_2")],
        404: [lambda _: send_event(path, look_queue=False)],
        413: [lambda _: send_event(path, "x" * (EVENT_LIMIT_BYTES + 1))],
        500: [lambda _: send_event(path, webhooks=False)],
        503: [lambda _: send_event(path, webhooks=True)],
    }


NOT_CREATED = make_failure(type="card_error", code="card_declined", http_status=402)
UNKNOWN = Error(kind=ErrorKind.HTTP, message="no answer", attempts=3, certainty=Certainty.UNKNOWN)

CREATE: dict[int, list[Call]] = {
    200: [create_settled],
    202: [create_accepted, create_replayed, create_warned, create_waited],
    400: [create_malformed],
    401: [create_unsigned],
    409: [create_conflicting],
    413: [create_too_large],
    422: [create_refused],
    500: [create_broken],
    503: [create_unavailable, create_lost],
}
OTHERS: dict[tuple[str, str], dict[int, list[Call]]] = {
    ("post", BATCHES): {
        202: [batch_mixed, batch_unavailable, batch_lost, batch_of_many_faults, batch_warned],
        400: [lambda _: Client().post(BATCHES, {"requests": []})],
        401: [lambda _: batch_of(Client(sign_in=True), {})],
        500: [lambda _: batch_of(broken_api(), {})],
    },
    ("get", STATUS): {
        200: [
            status_with("dispatched"),
            status_with("calling", attempts=1),
            status_with("retrying", attempts=2, retry_at=1_800_000_000.5),
            status_with(
                "retrying",
                retry_at=1_800_000_000.5,
                waiting=Waiting(why=Why.PAUSED, lane=Lane.BATCH),
            ),
            status_with("succeeded", attempts=1, outcome=make_success()),
            status_with("succeeded", attempts=1, outcome=make_success(body={"x": "x" * 6_000_000})),
            status_with("failed", attempts=1, outcome=NOT_CREATED),
            status_with("unknown", attempts=3, outcome=UNKNOWN),
            lambda _: status_asked(headers=WAITING),
        ],
        409: [lambda _: status_asked({"fingerprint": "f1:another"})],
        400: [lambda _: Client(sign_in=True).get("/v1/requests/x", authorizer=TENANT_WITH_A_SLASH)],
        401: [lambda _: Client(sign_in=True).get("/v1/requests/pdr_1")],
        404: [lambda _: Client().get("/v1/requests/pdr_1")],
        500: [lambda _: broken_api().get("/v1/requests/pdr_1")],
        503: [status_unavailable],
    },
    ("post", EVENTS): event_answers(EVENTS),
    ("post", EVENTS_OF_TENANT): event_answers(EVENTS_OF_TENANT),
    ("get", "/v1/openapi.json"): {200: [lambda _: Client().get("/v1/openapi.json")]},
    ("get", "/health"): {200: [lambda _: Client().get("/health")], 503: [unhealthy]},
}
ANSWERS = {("post", row.endpoint): CREATE for row in RESOURCES} | OTHERS
"""The answers of the calls that are tried here. Every other operation has the answers of a create."""

GATEWAY_ALONE = {
    (method, path, 403)
    for method, path in ANSWERS
    if path not in ("/v1/openapi.json", "/health", EVENTS, EVENTS_OF_TENANT)
} | {("post", BATCHES, 413), ("post", BATCHES, 503)}
"""Answers that only API Gateway gives. The API is not called, or answers so only for single items of a batch."""

ALL_CALLS = [
    pytest.param(method, path, status, call, id=f"{method} {path} {status} {number}")
    for (method, path), answers in ANSWERS.items()
    for status, calls in answers.items()
    for number, call in enumerate(calls)
]


def test_every_documented_answer_is_tested_here() -> None:
    tried = {(*call, status) for call, answers in ANSWERS.items() for status in answers}
    documented = {
        (method, path, int(status))
        for path, item in document()["paths"].items()
        for method, operation in item.items()
        for status in operation["responses"]
        if (method, path) in ANSWERS
    }
    assert documented == tried | GATEWAY_ALONE


def test_every_operation_has_the_answers_of_a_create() -> None:
    paths = document()["paths"]
    create = paths[ROW.endpoint]["post"]["responses"]
    for operation in all_operations():
        assert paths[operation.path][operation.method.lower()]["responses"] == create


@pytest.mark.parametrize(("method", "path", "status", "call"), ALL_CALLS)
def test_the_api_answers_as_documented(method: str, path: str, status: int, call: Call) -> None:
    rows = {row.endpoint: row for row in RESOURCES}
    answer = call(rows.get(path, ROW))
    response = find_response(method, path, status)
    assert answer.status == status
    strict(response["content"]["application/json"]["schema"]).validate(answer.json)
    assert answer.headers.keys() - {"Content-Type"} <= response.get("headers", {}).keys()
    for name, header in response.get("headers", {}).items():
        check_header(answer.headers.get(name), resolve(header)["schema"])


def test_an_accepted_create_has_a_location_and_a_replay_is_marked() -> None:
    assert create_accepted(ROW).headers.keys() >= {"Location"}
    assert create_replayed(ROW).headers.keys() >= {"Location", "Idempotent-Replayed"}


def test_an_unavailable_answer_has_retry_after() -> None:
    assert "Retry-After" in create_unavailable(ROW).headers
    assert "Retry-After" in status_unavailable(ROW).headers


def test_the_strict_validator_finds_an_undocumented_field() -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        strict({"$ref": "#/components/schemas/health"}).validate({"status": "ok", "load": 1})


def find_response(method: str, path: str, status: int) -> dict[str, Any]:
    return resolve(document()["paths"][path][method]["responses"][str(status)])


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    found: Any = node
    for part in node.get("$ref", "").split("/")[1:]:
        found = document()[part] if found is node else found[part]
    return dict(found)


def strict(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Return a validator that refuses undocumented fields. Clients ignore such fields, and this test must not."""
    checked: jsonschema_rs.Draft202012Validator = validator(
        schema, strict=frozenset(answer_schemas())
    )
    return checked


def check_header(sent: str | None, schema: dict[str, Any]) -> None:
    if sent is not None:
        value = int(sent) if schema.get("type") == "integer" else sent
        jsonschema_rs.Draft202012Validator(schema).validate(value)
