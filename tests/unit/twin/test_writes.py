"""Keys, faults, limits and the ledger hold for every write, and not only for creates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from paydispatch.twin.rate_limits import Rates
from paydispatch.twin.serving.control import Control
from paydispatch.twin.wire.calls import Call

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client, Reply


def authorized(stripe: Client) -> str:
    form = (
        "amount=2000&currency=usd&confirm=true&capture_method=manual&payment_method=pm_card_visa"
        "&return_url=https://example.com"
    )
    intent: str = stripe.post("/v1/payment_intents", form).json["id"]
    return intent


def delete(stripe: Client, path: str, **headers: str) -> Reply:
    return stripe.finish(stripe.start("DELETE", path, "", **headers))


def operations(stripe: Client) -> list[str]:
    return [effect["operation"] for effect in stripe.effects()]


def test_a_capture_under_a_key_is_executed_once(strict_stripe: Client) -> None:
    path = f"/v1/payment_intents/{authorized(strict_stripe)}/capture"
    first, again = (strict_stripe.post(path, idempotency_key="k") for _ in range(2))
    assert (first.status, first.text) == (200, again.text)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert operations(strict_stripe) == ["create_payment_intent", "capture_payment_intent"]


def test_a_refused_act_is_kept_under_its_key(strict_stripe: Client) -> None:
    intent = authorized(strict_stripe)
    strict_stripe.post(f"/v1/payment_intents/{intent}/cancel")
    path = f"/v1/payment_intents/{intent}/capture"
    first, again = (strict_stripe.post(path, idempotency_key="k") for _ in range(2))
    assert (first.status, first.text) == (400, again.text)
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_delete_ignores_the_key_so_that_its_repeat_finds_nothing(strict_stripe: Client) -> None:
    product = strict_stripe.post("/v1/products", "name=Tea").json["id"]
    first, again = (
        delete(strict_stripe, f"/v1/products/{product}", idempotency_key="k") for _ in range(2)
    )
    assert first.json == {"id": product, "object": "product", "deleted": True}
    assert (again.status, again.error["code"]) == (404, "resource_missing")
    assert operations(strict_stripe) == ["create_product", "delete_product"]
    assert [each["idempotency_key"] for each in strict_stripe.attempts()] == [None, "k", "k"]


def test_the_id_of_a_deleted_object_can_be_taken_again(strict_stripe: Client) -> None:
    for _ in range(2):
        assert strict_stripe.post("/v1/coupons", "id=TEA&percent_off=5").status == 200
        assert delete(strict_stripe, "/v1/coupons/TEA").status == 200
        assert strict_stripe.get("/v1/coupons/TEA").status == 404


def test_a_fault_strikes_one_operation(strict_stripe: Client) -> None:
    intent = authorized(strict_stripe)
    rule = {"match": {"operation": "capture_payment_intent"}, "times": 1}
    strict_stripe.fault({"kind": "status", "status": 500}, **rule)
    assert strict_stripe.post(f"/v1/payment_intents/{intent}", "description=a").status == 200
    path = f"/v1/payment_intents/{intent}/capture"
    assert [strict_stripe.post(path).status for _ in range(2)] == [500, 200]


def test_an_answer_that_is_lost_has_its_effect_once(strict_stripe: Client) -> None:
    path = f"/v1/payment_intents/{authorized(strict_stripe)}/cancel"
    strict_stripe.fault({"kind": "lost_answer"}, match={"method": "POST"}, times=1)
    strict_stripe.post(path, idempotency_key="k")
    assert strict_stripe.post(path, idempotency_key="k").json["status"] == "canceled"
    assert operations(strict_stripe).count("cancel_payment_intent") == 1


def test_each_operation_has_a_limit_of_its_own(strict_stripe: Client) -> None:
    intent = authorized(strict_stripe)
    strict_stripe.twin.limits.rates = Rates(None, None, 1)
    path = f"/v1/payment_intents/{intent}"
    assert strict_stripe.post(path, "description=a").status == 200
    assert strict_stripe.post(path, "description=a").status == 429
    assert strict_stripe.post(f"{path}/capture").status == 200


def test_an_object_is_put_there_that_no_call_makes(strict_stripe: Client) -> None:
    control = Control(strict_stripe.twin)
    headers = {"authorization": f"Bearer {strict_stripe.key}"}
    body = json.dumps({"object": "dispute", "id": "dp_1", "amount": 500}).encode()
    answer = control.answer(Call("POST", "/_twin/objects", "", headers, body))
    assert json.loads(answer.body)["amount"] == 500
    assert strict_stripe.post("/v1/disputes/dp_1/close").json["status"] == "lost"
    assert control.answer(Call("POST", "/_twin/objects", "", headers, body)).status == 400
    wrong = control.answer(Call("POST", "/_twin/objects", "", headers, b'{"object": "tea"}'))
    assert wrong.status == 400
    assert b"object must be the kind" in wrong.body
