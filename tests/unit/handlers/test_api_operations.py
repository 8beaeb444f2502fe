"""The HTTP API takes every write of Stripe by its path: the ids in the URL, in a batch item, and wrong ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, body

if TYPE_CHECKING:
    from tests.unit.handlers.conftest import Client

CAPTURE = "/v1/payment_intents/pi_1/capture"


def assert_nothing_happened(client: Client) -> None:
    assert not client.queue.sent
    assert not client.requests.store.slots
    assert not client.sealer.sealed
    assert KEY not in repr(client.log.lines)


def test_an_operation_is_answered_as_in_the_contract(client: Client) -> None:
    answer = client.post(CAPTURE, body(params={"amount_to_capture": 500}))
    (sent,) = client.queue.sent
    assert answer.headers["Location"] == f"/v1/requests/{sent.request_id}"
    assert (answer.status, answer.json) == (
        202,
        {
            "request_id": sent.request_id,
            "object": "payment_intent",
            "operation": "capture_payment_intent",
            "status": "dispatched",
            "worker_id": "worker-1",
            "context_id": "context-1",
        },
    )
    assert (sent.operation, sent.path) == ("capture_payment_intent", {"intent": "pi_1"})


def test_a_delete_has_its_fields_in_its_body(client: Client) -> None:
    answer = client.send("DELETE", "/v1/subscriptions/sub_1", body(params={"prorate": True}))
    (sent,) = client.queue.sent
    assert (answer.status, sent.operation) == (202, "cancel_subscription")
    assert (sent.path, sent.params) == ({"subscription_exposed_id": "sub_1"}, {"prorate": True})


def test_the_same_key_for_another_id_is_a_409(client: Client) -> None:
    key = {"idempotency-key": "capture-1"}
    client.post(CAPTURE, body(params={}), headers=key)
    answer = client.post(CAPTURE.replace("pi_1", "pi_2"), body(params={}), headers=key)
    assert (answer.status, answer.error["code"]) == (409, "idempotency_key_reused")


def test_the_parameters_are_those_of_the_operation(client: Client) -> None:
    answer = client.post(CAPTURE, body(params={"amount": 500}))
    assert (answer.status, answer.error["param"]) == (422, "amount")
    assert_nothing_happened(client)


@pytest.mark.parametrize("id_", ["50%", "50%25", "100%41", "ä ö", "a?b#c", "a+b", "<id>"])
def test_an_id_is_the_text_in_the_path_that_api_gateway_has_decoded(
    client: Client, id_: str
) -> None:
    answer = client.post(f"/v1/coupons/{id_}", body(params={}))
    (sent,) = client.queue.sent
    assert (answer.status, sent.operation, sent.path) == (202, "update_coupon", {"coupon": id_})


@pytest.mark.parametrize(
    ("id_", "said"),
    [
        ("..", "not a step in a path"),
        (".", "not a step in a path"),
        ("x" * 256, "at most 255 characters"),
        ("a\\b", "slash"),
        ("a\nb", "control characters"),
        ("a\u202eb", "cannot be printed"),
    ],
    ids=ascii,
)
def test_a_wrong_id_is_a_400_with_its_name(client: Client, id_: str, said: str) -> None:
    answer = client.post(f"/v1/payment_intents/{id_}/capture", body(params={}))
    assert (answer.status, answer.error["param"]) == (400, "path[intent]")
    assert said in answer.error["message"]
    assert_nothing_happened(client)


def test_a_key_as_an_id_is_refused_and_never_repeated(client: Client) -> None:
    answer = client.post(f"/v1/payment_intents/{KEY}/capture", body(params={}))
    assert (answer.status, answer.error["param"]) == (400, "path[intent]")
    assert KEY not in answer.text
    assert_nothing_happened(client)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/payment_intents//capture", "an id may be missing"),
        ("/v1/payment_intents/", "an id may be missing"),
        ("/v1/payment_intents/pi_1/captur", "POST /v1/payment_intents/{intent}/capture"),
        ("/v1/files", "leaves this call of Stripe out"),
        ("/v1/files", "does not fit into a queue message"),
        ("/v1/test_helpers/customers/cus_1/fund_cash_balance", "sandbox"),
        ("/v1/ephemeral_keys", "secret"),
        ("/v1/webhook_endpoints", "secret that signs events"),
        ("/v2/core/accounts", "API v2"),
        ("/v1/coupons/\ud800", "GET /v1/openapi.json"),
        ("/v1/teas/\n", "GET /v1/openapi.json"),
    ],
)
def test_a_url_without_an_operation_is_a_404_with_the_reason(
    client: Client, path: str, said: str
) -> None:
    answer = client.post(path, body(params={}))
    assert (answer.status, answer.error["code"]) == (404, "url_unknown")
    assert said in answer.error["message"]
    assert_nothing_happened(client)


def test_a_delete_of_a_path_that_only_a_post_has_is_a_404(client: Client) -> None:
    assert client.send("DELETE", CAPTURE, body(params={})).status == 404


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_without_sign_in_an_operation_is_a_401(aws_client: Client, method: str) -> None:
    answer = aws_client.send(method, "/v1/coupons/SUMMER", body(params={}))
    assert (answer.status, answer.error["code"]) == (401, "not_signed_in")


@pytest.mark.parametrize(
    ("repeated", "param"),
    [
        ({"operation": "cancel_payment_intent"}, "operation"),
        ({"object": "charge"}, "object"),
        ({"path": {"intent": "pi_2"}}, "path"),
        ({"path": []}, "path"),
    ],
    ids=str,
)
def test_a_body_that_names_another_operation_than_its_url_is_a_400(
    client: Client, repeated: dict[str, Any], param: str
) -> None:
    answer = client.post(CAPTURE, body(params={}, **repeated))
    assert (answer.status, answer.error["param"]) == (400, param)
    assert_nothing_happened(client)


def test_a_body_may_repeat_the_operation_of_its_url(client: Client) -> None:
    named = {
        "operation": "capture_payment_intent",
        "object": "payment_intent",
        "path": {"intent": "pi_1"},
    }
    assert client.post(CAPTURE, body(params={}, **named)).status == 202


class TestBatchItem:
    @pytest.mark.parametrize(
        ("named", "operation"),
        [
            ({"operation": "capture_payment_intent", "path": {"intent": "pi_1"}}, None),
            (
                {
                    "operation": "capture_payment_intent",
                    "object": "payment_intent",
                    "path": {"intent": "pi_1"},
                },
                None,
            ),
            ({"object": "token"}, "create_token"),
            ({"object": "customer_tax_id", "path": {"customer": "cus_1"}}, None),
            ({"object": "token", "operation": None, "path": None}, "create_token"),
        ],
        ids=str,
    )
    def test_an_item_names_its_operation_or_its_object(
        self, client: Client, named: dict[str, Any], operation: str | None
    ) -> None:
        params = (
            {"type": "eu_vat", "value": "DE1"} if named.get("object") == "customer_tax_id" else {}
        )
        answer = client.post("/v1/batches", {"requests": [body(params=params) | named]})
        (result,) = answer.json["results"]
        assert result["status"] == "dispatched", result
        (sent,) = client.queue.sent
        assert sent.operation == (
            operation or named.get("operation") or f"create_{named['object']}"
        )
        assert sent.path == (named.get("path") or {})

    @pytest.mark.parametrize(
        ("named", "status", "param"),
        [
            ({}, 400, "object"),
            ({"operation": "capture_payment"}, 404, "operation"),
            ({"operation": 7}, 400, "operation"),
            ({"object": "review"}, 404, "object"),
            ({"operation": "capture_payment_intent", "object": "charge"}, 400, "object"),
            ({"operation": "capture_payment_intent"}, 400, "path[intent]"),
            ({"operation": "capture_payment_intent", "path": {"intent": ""}}, 400, "path[intent]"),
            (
                {"operation": "capture_payment_intent", "path": {"intent": "a/b"}},
                400,
                "path[intent]",
            ),
            ({"operation": "capture_payment_intent", "path": {"intent": 7}}, 400, "path[intent]"),
            ({"operation": "create_product", "path": {"id": "prod_1"}}, 400, "path[id]"),
            ({"operation": "capture_payment_intent", "path": "pi_1"}, 400, "path"),
            ({"operation": "update_invoice", "path": {"invoice": "create_preview"}}, 400, None),
            ({"operation": KEY}, 400, "operation"),
            (
                {"operation": "capture_payment_intent", "path": {"intent": KEY}},
                400,
                "path[intent]",
            ),
            ({"operation": "capture_payment_intent", "path": {KEY: "pi_1"}}, 400, "path"),
        ],
        ids=str,
    )
    def test_a_wrong_name_or_id_is_refused_in_its_place(
        self, client: Client, named: dict[str, Any], status: int, param: str | None
    ) -> None:
        answer = client.post("/v1/batches", {"requests": [body(params={}) | named]})
        (result,) = answer.json["results"]
        assert (result["status"], result["http_status"]) == ("refused", status)
        assert result["error"]["param"] == (param or "path[invoice]")
        assert KEY not in answer.text
        assert_nothing_happened(client)
