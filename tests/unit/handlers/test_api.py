"""The HTTP API: the answer to each request. A refused request is never queued."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openapi.example_params import example_params
from tests.unit.examples import KEY, PARAMS, body, make_success
from tests.unit.queues import LosingQueue

from paydispatch.domain.limits import QUEUE_MESSAGE_LIMIT_BYTES
from paydispatch.domain.stripe.resources import RESOURCES, Resource
from paydispatch.testing.memory_queues import MemoryRequestQueue

if TYPE_CHECKING:
    from tests.unit.handlers.conftest import Answer, Client

INTENTS = "/v1/payment_intents"


def assert_nothing_happened(client: Client) -> None:
    assert not client.queue.sent
    assert not client.requests.store.slots
    assert not client.sealer.sealed
    assert KEY not in repr(client.log.lines)


class TestCreate:
    @pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)
    def test_every_object_of_the_table_has_its_route(self, client: Client, row: Resource) -> None:
        answer = client.post(row.endpoint, body(params=example_params(row.operation)))
        assert answer.status == 202
        (sent,) = client.queue.sent
        assert sent.object == row.name

    def test_a_create_is_answered_as_in_the_contract(self, client: Client) -> None:
        answer = client.post(INTENTS, body())
        id_ = client.queue.sent[0].request_id
        assert (answer.status, answer.headers["Location"]) == (202, f"/v1/requests/{id_}")
        assert answer.headers["Content-Type"] == "application/json"
        assert "Idempotent-Replayed" not in answer.headers
        assert answer.json == {
            "request_id": id_,
            "object": "payment_intent",
            "operation": "create_payment_intent",
            "status": "dispatched",
            "worker_id": "worker-1",
            "context_id": "context-1",
        }

    def test_a_base64_body_is_decoded(self, client: Client) -> None:
        text = json.dumps(body(params={**PARAMS, "description": "Tee, 茶"}), ensure_ascii=False)
        assert client.post(INTENTS, text, encoded=True).status == 202
        assert client.queue.sent[0].params["description"] == "Tee, 茶"

    def test_a_large_base64_body_is_measured_by_its_decoded_size(self, client: Client) -> None:
        metadata = {f"key{number}": "x" * 500 for number in range(50)}
        items = [{"price": "price_1", "metadata": metadata}] * 34
        text = json.dumps(body(params={"customer": "cus_1", "items": items}))
        assert 0.8 * QUEUE_MESSAGE_LIMIT_BYTES < len(text) < QUEUE_MESSAGE_LIMIT_BYTES
        assert client.post("/v1/subscriptions", text, encoded=True).status == 202

    @pytest.mark.parametrize("name", ["idempotency-key", "Idempotency-Key"])
    def test_a_replay_has_the_idempotent_replayed_header(self, client: Client, name: str) -> None:
        first, again = (client.post(INTENTS, body(), headers={name: "order-1"}) for _ in range(2))
        assert (again.status, again.json) == (202, first.json)
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(client.queue.sent) == 1

    def test_a_key_with_another_body_is_a_409(self, client: Client) -> None:
        client.post(INTENTS, body(), headers={"idempotency-key": "order-1"})
        other = body(context_id="context-2")
        answer = client.post(INTENTS, other, headers={"idempotency-key": "order-1"})
        assert (answer.status, answer.error["type"]) == (409, "idempotency_error")

    def test_the_traceparent_header_is_passed_on(self, client: Client) -> None:
        trace = f"00-{'a' * 32}-{'b' * 16}-01"
        client.post(INTENTS, body(), headers={"traceparent": trace})
        assert client.queue.sent[0].traceparent == trace


BAD_BODIES: dict[str, tuple[str | None, str]] = {
    "no body": (None, "body_not_json"),
    "an empty body": ("", "body_not_json"),
    "cut JSON": ('{"worker_id": ', "body_not_json"),
    "NaN": ('{"params": NaN}', "body_not_json"),
    "a number of 5,000 digits": ('{"deadline_s": 1' + "0" * 5_000 + "}", "body_not_json"),
    "a list": ("[]", "body_not_an_object"),
    "text": ('"sk_test_1"', "body_not_an_object"),
    "null": ("null", "body_not_an_object"),
}


@pytest.mark.parametrize("path", [INTENTS, "/v1/batches"])
@pytest.mark.parametrize(("text", "code"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_is_no_json_object_is_a_400(
    client: Client, path: str, text: str | None, code: str
) -> None:
    answer = client.post(path, text)
    assert (answer.status, answer.error["code"]) == (400, code)
    assert_nothing_happened(client)


def test_the_error_for_malformed_json_names_the_place_and_repeats_no_text(client: Client) -> None:
    answer = client.post(INTENTS, f'{{"stripe_secret": "{KEY}" oops}}')
    assert "line 1, column" in answer.error["message"]
    assert KEY not in answer.text
    assert_nothing_happened(client)


@pytest.mark.parametrize("text", ["not base64!", "e30", "/w=="])
def test_a_body_with_invalid_base64_is_a_400(client: Client, text: str) -> None:
    event = {"isBase64Encoded": True, "body": text}
    assert answer_to(client, event).status == 400


def answer_to(client: Client, changes: dict[str, Any]) -> Answer:
    from tests.unit.handlers.conftest import Answer, Context, http_event

    raw = client.api().answer(http_event("POST", INTENTS) | changes, Context())
    return Answer(raw["statusCode"], {}, raw["body"])


REFUSED: dict[str, tuple[dict[str, Any], int, str | None]] = {
    "no worker_id": ({"worker_id": None}, 400, "worker_id"),
    "no context_id": ({"context_id": None}, 400, "context_id"),
    "no key": ({"stripe_secret": None}, 400, "stripe_secret"),
    "a publishable key": ({"stripe_secret": "pk_live_" + "x" * 20}, 400, "stripe_secret"),
    "a key that is none": ({"stripe_secret": "hunter2hunter2"}, 400, "stripe_secret"),
    "a key that is a number": ({"stripe_secret": 7}, 400, "stripe_secret"),
    "a key as secret_ref": ({"stripe_secret": None, "secret_ref": KEY}, 400, "secret_ref"),
    "params as a list": ({"params": []}, 400, "params"),
    "params as null": ({"params": "null"}, 400, "params"),
    "an unknown field": ({"amount": 2000}, 400, "amount"),
    "an unknown lane": ({"lane": "express"}, 400, "lane"),
    "an endless deadline": ({"deadline_s": 10**400}, 400, "deadline_s"),
    "another object": ({"object": "coupon"}, 400, "object"),
    "a wrong type": ({"params": {"amount": "20.5", "currency": "usd"}}, 422, "amount"),
    "an endless amount": ({"params": {"amount": 10**400, "currency": "usd"}}, 422, "amount"),
    "an unknown parameter": ({"params": {**PARAMS, "colour": "red"}}, 422, "colour"),
    "a missing parameter": ({"params": {"amount": 2000}}, 422, "currency"),
}


@pytest.mark.parametrize(("change", "status", "param"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_request_is_refused_with_the_name_of_the_field(
    client: Client, change: dict[str, Any], status: int, param: str
) -> None:
    answer = client.post(INTENTS, body(**change))
    assert (answer.status, answer.error["param"]) == (status, param)
    assert_nothing_happened(client)
    sent = (KEY, change.get("stripe_secret"))
    assert not any(key in answer.text for key in sent if isinstance(key, str))


@pytest.mark.parametrize("raw", ["1e999", "-1e999", '"\\ud800"', '{"a": 1}', "true", "2000.0"])
def test_a_value_outside_the_schema_is_a_422(client: Client, raw: str) -> None:
    text = json.dumps(body(params={"amount": 0, "currency": "usd"}))
    answer = client.post(INTENTS, text.replace('"amount": 0', f'"amount": {raw}'))
    assert (answer.status, answer.error["param"]) == (422, "amount")
    assert_nothing_happened(client)


@pytest.mark.parametrize("depth", [33, 100, 260, 330, 700, 979, 5_000, 100_000])
def test_parameters_nested_too_deeply_are_refused_by_name(client: Client, depth: int) -> None:
    text = json.dumps(body(params="here")).replace(
        '"here"', '{"metadata":' + '{"a":' * depth + "1" + "}" * (depth + 1)
    )
    answer = client.post(INTENTS, text)
    assert (answer.status, answer.error["param"]) == (422, "metadata")
    assert_nothing_happened(client)


@pytest.mark.parametrize("depth", [100, 979, 5_000, 100_000])
def test_an_item_nested_too_deeply_stops_no_other(client: Client, depth: int) -> None:
    endless = json.dumps({"object": "coupon", **body(params="here")}).replace(
        '"here"', '{"metadata":' + "[" * depth + "]" * depth + "}"
    )
    sound = json.dumps({"object": "payment_intent", **body()})
    results = client.post("/v1/batches", f'{{"requests":[{endless},{sound}]}}').json["results"]
    assert [result["status"] for result in results] == ["refused", "dispatched"]
    assert results[0]["error"]["param"] == "metadata"


KEY_FIELDS: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "worker_id": ({"worker_id": KEY}, {}, "worker_id"),
    "context_id": ({"context_id": f"x{KEY}"}, {}, "context_id"),
    "stripe_account": ({"stripe_account": KEY}, {}, "stripe_account"),
    "stripe_context": ({"stripe_context": KEY}, {}, "stripe_context"),
    "secret_ref": ({"stripe_secret": None, "secret_ref": f"a.{KEY}"}, {}, "secret_ref"),
    "idempotency_key": ({"idempotency_key": KEY}, {}, "Idempotency-Key"),
    "Idempotency-Key": ({}, {"idempotency-key": KEY}, "Idempotency-Key"),
    "a field's name": ({KEY: 1}, {}, "sk_test_[hidden]"),
    "metadata": ({"params": {**PARAMS, "metadata": {"a": KEY}}}, {}, "metadata[a]"),
    "a metadata name": (
        {"params": {**PARAMS, "metadata": {KEY: "a"}}},
        {},
        "metadata[sk_test_[hidden]]",
    ),
    "a parameter's name": ({"params": {**PARAMS, KEY: 1}}, {}, "sk_test_[hidden]"),
    "object": ({"object": KEY}, {}, "object"),
}


@pytest.mark.parametrize(("change", "headers", "param"), KEY_FIELDS.values(), ids=KEY_FIELDS)
def test_a_key_in_a_wrong_field_is_refused_and_never_repeated(
    client: Client, change: dict[str, Any], headers: dict[str, str], param: str
) -> None:
    answer = client.post(INTENTS, body(**change), headers=headers)
    assert (answer.status in (400, 422), answer.error["param"]) == (True, param)
    assert KEY not in answer.text
    assert KEY not in repr(client.log.lines)
    assert_nothing_happened(client)


@pytest.mark.parametrize(("change", "headers", "param"), KEY_FIELDS.values(), ids=KEY_FIELDS)
def test_an_item_with_a_key_in_a_wrong_field_is_refused_in_its_place(
    client: Client, change: dict[str, Any], headers: dict[str, str], param: str
) -> None:
    item = {"object": "payment_intent", **body(**change)}
    item |= {name.replace("-", "_"): value for name, value in headers.items()}
    answer = client.post("/v1/batches", {"requests": [item]})
    (result,) = answer.json["results"]
    assert (result["status"], result["error"]["param"]) == ("refused", param)
    assert KEY not in answer.text


@pytest.mark.parametrize("path", [f"/v1/requests/{KEY}", f"/v1/{KEY}", f"/v1/x%5F{KEY}"])
def test_a_key_in_a_path_is_not_repeated(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status == 404
    assert KEY not in answer.text


def test_the_answer_lists_every_wrong_parameter_with_its_path(client: Client) -> None:
    answer = client.post(INTENTS, body(params={"amount": "x", "colour": "red"}))
    assert {error["param"] for error in answer.json["errors"]} == {"amount", "colour", "currency"}
    assert all({"type", "code", "message"} <= error.keys() for error in answer.json["errors"])


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_idempotency_key_out_of_bounds_is_a_400(client: Client, key: str) -> None:
    answer = client.post(INTENTS, body(), headers={"idempotency-key": key})
    assert (answer.status, answer.error["code"]) == (400, "idempotency_key_invalid")
    assert_nothing_happened(client)


@pytest.mark.parametrize("over", [1, 5_000_000])
def test_a_body_over_the_queues_limit_is_a_413(client: Client, over: int) -> None:
    text = json.dumps(body()) + " " * QUEUE_MESSAGE_LIMIT_BYTES
    answer = client.post(INTENTS, text[: QUEUE_MESSAGE_LIMIT_BYTES + over])
    assert (answer.status, answer.error["code"]) == (413, "request_too_large")
    assert_nothing_happened(client)


def test_a_body_that_is_too_large_only_as_a_queue_message_is_a_413(client: Client) -> None:
    params = {**PARAMS, "description": "é" * (QUEUE_MESSAGE_LIMIT_BYTES // 6)}
    answer = client.post(INTENTS, json.dumps(body(params=params), ensure_ascii=False))
    assert answer.status == 413
    assert_nothing_happened(client)


@pytest.mark.parametrize("away", ["queue", "sealer"])
def test_an_unavailable_store_is_a_503_with_retry_after(client: Client, away: str) -> None:
    getattr(client, away).away = True
    answer = client.post(INTENTS, body())
    assert (answer.status, answer.error["type"]) == (503, "api_error")
    assert int(answer.headers["Retry-After"]) >= 1
    assert "away" not in answer.text  # the answer describes no store behind the API
    assert not client.queue.sent


def test_a_fault_in_paydispatch_is_a_500_without_details(client: Client) -> None:
    client.sealer = None  # type: ignore[assignment]
    answer = client.post(INTENTS, body())
    assert (answer.status, answer.error["code"]) == (500, "internal_error")
    assert "NoneType" not in answer.text
    assert "api.fault" in client.log.events()


class TestBatch:
    def test_each_item_is_answered_in_its_place(self, client: Client) -> None:
        items = [
            {"object": "payment_intent", **body()},
            {"object": "tea", **body()},
            {"object": "coupon", **body(params={"percent_off": "x", "colour": "red"})},
            "no object",
            body(),
            {"object": "product", **body(params={"name": "Tea"}, worker_id=None)},
            {"object": "product", **body(params={"name": "Tea"}, lane="batch")},
        ]
        answer = client.post("/v1/batches", {"requests": items})
        assert answer.status == 202
        results = answer.json["results"]
        statuses = [result.get("http_status", 202) for result in results]
        assert statuses == [202, 404, 422, 400, 400, 400, 202]
        assert [sent.object for sent in client.queue.sent] == ["payment_intent", "product"]
        assert results[0]["request_id"] == client.queue.sent[0].request_id
        assert {error["param"] for error in results[2]["errors"]} >= {"percent_off", "colour"}
        assert all("message" in result["error"] for result in results[1:6])

    @pytest.mark.parametrize(
        "requests",
        [[], [{}] * 1001, {}, None, "x"],
        ids=["none", "1001", "an object", "null", "text"],
    )
    def test_a_batch_holds_1_to_1000_requests(self, client: Client, requests: Any) -> None:
        answer = client.post("/v1/batches", {"requests": requests})
        assert (answer.status, answer.error["param"]) == (400, "requests")
        assert_nothing_happened(client)

    def test_a_thousand_requests_are_accepted(self, client: Client) -> None:
        item = {"object": "payment_intent", **body()}
        answer = client.post("/v1/batches", {"requests": [item] * 1000})
        assert answer.status == 202
        assert len({sent.request_id for sent in client.queue.sent}) == 1000

    def test_the_key_of_a_batch_makes_every_item_repeatable(self, client: Client) -> None:
        items = [{"object": "payment_intent", **body(context_id=f"c-{n}")} for n in range(3)]
        first, again = (
            client.post("/v1/batches", {"requests": items}, headers={"idempotency-key": "b-1"})
            for _ in range(2)
        )
        assert len(client.queue.sent) == 3
        assert all(result["idempotent_replayed"] for result in again.json["results"])
        ids = [[result["request_id"] for result in each.json["results"]] for each in (first, again)]
        assert ids[0] == ids[1]

    def test_no_key_of_a_create_equals_the_derived_key_of_an_item(self, client: Client) -> None:
        """A create under a key that looks like the derived key of an item is another request."""
        item = {"object": "payment_intent", **body()}
        client.post("/v1/batches", {"requests": [item]}, headers={"idempotency-key": "b-1"})
        for key in ("b-1", "b-1/0", "b-10"):
            client.post(INTENTS, body(), headers={"idempotency-key": key})
        assert len({sent.request_id for sent in client.queue.sent}) == 4

    def test_the_own_key_of_an_item_wins_over_the_key_of_the_batch(self, client: Client) -> None:
        item = {"object": "payment_intent", **body(idempotency_key="order-1")}
        client.post("/v1/batches", {"requests": [item]}, headers={"idempotency-key": "b-1"})
        answer = client.post(INTENTS, body(), headers={"idempotency-key": "order-1"})
        assert answer.headers["Idempotent-Replayed"] == "true"

    @pytest.mark.parametrize("key", ["", "k" * 256, 7, "\ud800"], ids=ascii)
    def test_an_invalid_key_fails_only_its_item(self, client: Client, key: Any) -> None:
        bad = {"object": "payment_intent", **body(), "idempotency_key": key}
        good = {"object": "payment_intent", **body()}
        answer = client.post("/v1/batches", {"requests": [bad, good]})
        refused, taken = answer.json["results"]
        assert refused["error"]["code"] == "idempotency_key_invalid"
        assert taken["status"] == "dispatched"

    def test_an_unavailable_queue_is_a_503_for_each_item(self, client: Client) -> None:
        client.queue.away = True
        answer = client.post(
            "/v1/batches", {"requests": [{"object": "payment_intent", **body()}] * 2}
        )
        assert [result["http_status"] for result in answer.json["results"]] == [503, 503]


class TestALostAnswer:
    def test_the_503_has_the_request_id_and_the_key_for_the_repeat(self, client: Client) -> None:
        client.queue = losing = LosingQueue()
        answer = client.post(INTENTS, body())
        assert (answer.status, answer.error["code"]) == (503, "maybe_accepted")
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.json["request_id"] == losing.sent[0].request_id
        assert "AWS" not in answer.text

        client.queue = MemoryRequestQueue()
        key = {"idempotency-key": answer.json["idempotency_key"]}
        again = client.post(INTENTS, body(), headers=key)
        assert (again.status, again.json["request_id"]) == (202, answer.json["request_id"])

    def test_the_key_for_the_repeat_is_the_own_key_of_the_caller(self, client: Client) -> None:
        client.queue = LosingQueue()
        answer = client.post(INTENTS, body(), headers={"idempotency-key": "order-1"})
        assert answer.json["idempotency_key"] == "order-1"

    def test_a_batch_has_a_503_with_a_key_for_each_item(self, client: Client) -> None:
        client.queue = LosingQueue()
        items = [{"object": "payment_intent", **body()}] * 2
        results = client.post("/v1/batches", {"requests": items}).json["results"]
        assert [result["http_status"] for result in results] == [503, 503]
        assert len({result["idempotency_key"] for result in results}) == 2
        assert {result["status"] for result in results} == {"maybe_accepted"}

    def test_the_503_for_a_refused_request_has_no_request_id(self, client: Client) -> None:
        client.queue.away = True
        answer = client.post(INTENTS, body())
        assert answer.error["code"] == "unavailable"
        assert answer.json.keys() == {"error"}

    @pytest.mark.parametrize("away", ["queue", "sealer", "requests"])
    def test_no_item_of_a_batch_shows_the_error_text_of_a_store(
        self, client: Client, away: str
    ) -> None:
        getattr(client, away).away = True
        items = [{"object": "payment_intent", **body(), "idempotency_key": "order-1"}]
        answer = client.post("/v1/batches", {"requests": items})
        (result,) = answer.json["results"]
        assert result["http_status"] == 503
        assert "away" not in answer.text


class TestReplay:
    def test_a_replay_has_the_current_status_of_the_request(self, client: Client) -> None:
        key = {"idempotency-key": "order-1"}
        first = client.post(INTENTS, body(), headers=key)
        client.requests.store.slots[first.json["request_id"]].status = "succeeded"
        again = client.post(INTENTS, body(), headers=key)
        assert again.json == {**first.json, "status": "succeeded"}
        assert again.headers["Idempotent-Replayed"] == "true"


class TestStatus:
    def test_a_request_can_be_looked_up(self, client: Client) -> None:
        location = client.post(INTENTS, body()).headers["Location"]
        answer = client.get(location)
        assert (answer.status, answer.json["status"]) == (200, "dispatched")
        assert "tenant" not in answer.json

    @pytest.mark.parametrize("id_", ["pdr_unknown", "x" * 5000, "%00", "ü"])
    def test_an_unknown_request_is_a_404(self, client: Client, id_: str) -> None:
        assert client.get(f"/v1/requests/{id_}").status == 404

    def test_a_request_of_another_tenant_is_a_404(self, aws_client: Client) -> None:
        location = aws_client.post(INTENTS, body(), authorizer=jwt("shop", "a")).headers["Location"]
        assert aws_client.get(location, authorizer=jwt("shop", "b")).status == 200
        assert aws_client.get(location, authorizer=jwt("bank", "a")).status == 404

    def test_no_tenant_reads_a_request_of_another_tenant_by_naming_its_slot(
        self, aws_client: Client
    ) -> None:
        location = aws_client.post(INTENTS, body(), authorizer=jwt("shop", "a")).headers["Location"]
        id_ = location.rpartition("/")[2]
        answer = aws_client.get(f"/v1/requests/shop {id_}", authorizer=jwt("local", "a"))
        assert answer.status == 404

    def test_a_stripe_answer_that_is_too_large_is_left_out_with_a_warning(
        self, client: Client
    ) -> None:
        location = client.post(INTENTS, body()).headers["Location"]
        slot = client.requests.store.slots[location.rpartition("/")[2]]
        slot.status, slot.outcome = (
            "succeeded",
            make_success(body={"id": "pi_1", "x": "é" * 500_000}),
        )
        assert client.get(location).json["parsed_data"]["id"] == "pi_1"

        slot.outcome = make_success(body={"id": "pi_1", "x": "é" * 1_000_000})
        answer = client.get(location)
        assert (answer.status, answer.json["status"]) == (200, "succeeded")
        assert "parsed_data" not in answer.json
        assert [warning["param"] for warning in answer.json["warnings"]] == ["parsed_data"]

    def test_a_status_without_redis_is_a_503_with_retry_after(self, client: Client) -> None:
        client.requests.away = True
        answer = client.get("/v1/requests/pdr_1")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


class TestPrincipals:
    @pytest.mark.parametrize(
        ("method", "path"), [("POST", INTENTS), ("POST", "/v1/batches"), ("GET", "/v1/requests/x")]
    )
    def test_a_request_without_sign_in_is_a_401_where_sign_in_is_required(
        self, aws_client: Client, method: str, path: str
    ) -> None:
        sent = {"requests": [body()]} if path == "/v1/batches" else body()
        answer = aws_client.send(method, path, None if method == "GET" else sent)
        assert (answer.status, answer.error["code"]) == (401, "not_signed_in")
        assert_nothing_happened(aws_client)

    def test_health_needs_no_sign_in(self, aws_client: Client) -> None:
        answer = aws_client.get("/health")
        assert (answer.status, answer.json) == (200, {"status": "ok"})

    def test_an_api_that_cannot_write_to_redis_is_not_healthy(self, aws_client: Client) -> None:
        aws_client.requests.away = True
        answer = aws_client.get("/health")
        assert (answer.status, answer.error["code"]) == (503, "unavailable")
        assert "Redis takes no writes" in answer.error["message"]
        assert "api.unhealthy" in aws_client.log.events()

    def test_without_sign_in_every_caller_is_the_local_principal(self, client: Client) -> None:
        client.post(INTENTS, body())
        assert client.queue.sent[0].principal == "local"

    def test_the_tenant_comes_from_the_token(self, aws_client: Client) -> None:
        aws_client.post(INTENTS, body(), authorizer=jwt("shop", "checkout"))
        assert aws_client.queue.sent[0].principal == "shop/checkout"

    def test_with_iam_the_tenant_is_the_account_and_the_role_the_subject(
        self, aws_client: Client
    ) -> None:
        for session in ("monday", "tuesday"):
            aws_client.post(INTENTS, body(), authorizer=iam(f"assumed-role/shop/{session}"))
        principals = {sent.principal for sent in aws_client.queue.sent}
        assert principals == {"123456789012/assumed-role:shop"}

    @pytest.mark.parametrize(
        ("arn", "subject"),
        [
            ("user/bob", "user:bob"),
            ("user/division/team/bob", "user:division/team/bob"),
            ("user/division/team/eve", "user:division/team/eve"),
            ("root", "root"),
            ("user/o,clock", "user:o,clock"),
        ],
    )
    def test_with_iam_a_user_is_named_with_its_whole_path(
        self, aws_client: Client, arn: str, subject: str
    ) -> None:
        aws_client.post(INTENTS, body(), authorizer=iam(arn))
        assert aws_client.queue.sent[0].principal == f"123456789012/{subject}"

    def test_a_subject_of_an_identity_provider_is_taken_as_it_is(self, aws_client: Client) -> None:
        aws_client.post(INTENTS, body(), authorizer=jwt("shop", "auth0|5f7c8ec7"))
        assert aws_client.queue.sent[0].principal == "shop/auth0|5f7c8ec7"

    @pytest.mark.parametrize(
        "authorizer",
        [
            {"jwt": {"claims": {"sub": "checkout"}}},
            {"jwt": {"claims": {"tenant": "shop"}}},
            {"jwt": {"claims": None}},
            {"jwt": {"claims": {"tenant": "shop/../bank", "sub": "checkout"}}},
            {"jwt": {"claims": {"tenant": "queue", "sub": "queue"}}},
            {"iam": {"accountId": "", "userArn": ""}},
        ],
        ids=str,
    )
    def test_an_incomplete_or_invalid_principal_is_refused(
        self, aws_client: Client, authorizer: dict[str, Any]
    ) -> None:
        answer = aws_client.post(INTENTS, body(), authorizer=authorizer)
        assert answer.status in (400, 401, 403)
        assert_nothing_happened(aws_client)

    def test_the_body_cannot_name_a_principal(self, client: Client) -> None:
        assert client.post(INTENTS, body(principal="shop")).status == 400


def jwt(tenant: str, subject: str) -> dict[str, Any]:
    return {"jwt": {"claims": {"tenant": tenant, "sub": subject}, "scopes": None}}


def iam(role: str) -> dict[str, Any]:
    return {"iam": {"accountId": "123456789012", "userArn": f"arn:aws:sts::123456789012:{role}"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/teas"),
        ("GET", INTENTS),
        ("DELETE", "/v1/requests/pdr_1"),
        ("POST", f"{INTENTS}/pi_1/capture/now"),
        ("PUT", f"{INTENTS}/pi_1"),
        ("GET", "/"),
    ],
)
def test_the_answer_to_an_unknown_url_lists_the_known_urls(
    client: Client, method: str, path: str
) -> None:
    answer = client.send(method, path, None if method == "GET" else body())
    assert answer.status in (404, 405)
    assert answer.error["code"] == "url_unknown"
    assert "POST /v1/payment_intents" in answer.error["message"]
    assert_nothing_happened(client)
