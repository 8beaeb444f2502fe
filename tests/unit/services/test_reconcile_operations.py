"""`Reconciler` for operations that are no creates: proof by the object's state or by its absence."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.services.test_reconcile import OTHER_KEY, PROOF_S, ReconcileSystem

from paydispatch.domain.operators.lookup_results import CLOCKS_APART_S, Inconclusive
from paydispatch.domain.outcomes import Certainty, Response
from paydispatch.domain.stripe.proofs import (
    INCOMPLETE_LIST,
    NO_OWN_ID,
    NO_STATE,
    UNLISTED_CREATE,
    UNMARKED_CREATE,
)
from paydispatch.services.lookups.own_account import NO_ACCOUNT

CAPTURE: dict[str, Any] = {
    "operation": "capture_payment_intent",
    "path": {"intent": "pi_1"},
    "params": {},
}
DELETE: dict[str, Any] = {
    "object": "coupon",
    "operation": "delete_coupon",
    "path": {"coupon": "SUMMER"},
    "params": {},
}
INTENT = "/v1/payment_intents/pi_1"
COUPON = "/v1/coupons/SUMMER"


@pytest.fixture
def system() -> ReconcileSystem:
    return ReconcileSystem()


async def verdict(system: ReconcileSystem) -> tuple[str, str | None]:
    (one,) = (await system.reconcile()).reconciled
    return one.verdict.value, one.why


async def test_a_captured_intent_is_an_inferred_response(system: ReconcileSystem) -> None:
    await system.send_without_answer(**CAPTURE)
    body = {"id": "pi_1", "status": "succeeded"}
    system.lists.objects[INTENT] = body

    assert await verdict(system) == ("executed", None)

    settled = system.outcomes.entries[-1]
    assert settled.outcome == Response(body=body, attempts=1, stripe_request_id="req_get")
    assert settled.inferred
    assert settled.flow_name == "new_capture_payment_intent_response"
    assert system.requests.status("pdr_1") == "succeeded"


async def test_an_intent_that_waits_for_its_capture_is_not_executed_after_the_horizon(
    system: ReconcileSystem,
) -> None:
    await system.send_without_answer(**CAPTURE)
    system.lists.objects[INTENT] = {"id": "pi_1", "status": "requires_capture"}
    system.clock.advance(PROOF_S - 1)
    assert (await verdict(system))[0] == "unknown"

    system.clock.advance(2)

    assert await verdict(system) == ("not_executed", None)
    assert system.settled[0].certainty is Certainty.NOT_EXECUTED
    assert system.settled[0].code == "not_executed_after_horizon"
    assert system.requests.status("pdr_1") == "failed"


async def test_clocks_that_disagree_prove_no_absence_of_an_effect(system: ReconcileSystem) -> None:
    await system.send_without_answer(**CAPTURE)
    system.lists.objects[INTENT] = {"id": "pi_1", "status": "requires_capture"}
    system.clock.advance(PROOF_S + 1)
    system.lists.clock = type(system.clock)(system.clock.now_s() - CLOCKS_APART_S - 1)
    assert (await verdict(system))[0] == "unknown"


@pytest.mark.parametrize(
    "found",
    [
        {"id": "pi_1", "status": "processing"},
        {"id": "pi_2", "status": "succeeded"},
        None,
        Inconclusive("Stripe cannot be reached"),
    ],
    ids=str,
)
async def test_any_other_look_leaves_it_unknown(system: ReconcileSystem, found: Any) -> None:
    await system.send_without_answer(**CAPTURE)
    if found is not None:
        system.lists.objects[INTENT] = found
    system.clock.advance(PROOF_S + 1)
    assert (await verdict(system))[0] == "unknown"


@pytest.mark.parametrize("asked", [CAPTURE, DELETE], ids=lambda one: str(one["operation"]))
async def test_the_object_of_another_account_proves_nothing(
    system: ReconcileSystem, asked: dict[str, Any]
) -> None:
    await system.send_without_answer(**asked)
    system.set_secret(OTHER_KEY)
    system.accounts.ids[OTHER_KEY] = "acct_2"
    system.lists.objects[INTENT] = {"id": "pi_1", "status": "succeeded"}
    assert (await verdict(system))[0] == "unknown"
    assert not system.lists.fetches


async def test_without_a_recorded_account_a_missing_object_proves_nothing(
    system: ReconcileSystem,
) -> None:
    await system.publish_unknown(**DELETE)
    assert await verdict(system) == ("unknown", NO_ACCOUNT)
    assert not system.lists.fetches


async def test_a_missing_coupon_was_deleted(system: ReconcileSystem) -> None:
    await system.send_without_answer(**DELETE)
    assert await verdict(system) == ("executed", None)
    (settled,) = system.settled
    assert settled.body == {"id": "SUMMER", "deleted": True}
    assert system.outcomes.entries[-1].inferred


async def test_a_coupon_that_stands_was_not_deleted_after_the_horizon(
    system: ReconcileSystem,
) -> None:
    await system.send_without_answer(**DELETE)
    system.lists.objects[COUPON] = {"id": "SUMMER", "created": system.clock.now_s() - 86_400}
    assert (await verdict(system))[0] == "unknown"
    system.clock.advance(PROOF_S + 1)
    assert (await verdict(system))[0] == "not_executed"


async def test_a_coupon_that_was_made_anew_proves_nothing_ever(system: ReconcileSystem) -> None:
    await system.send_without_answer(**DELETE)
    system.lists.objects[COUPON] = {"id": "SUMMER", "created": system.clock.now_s() + 60}
    system.clock.advance(PROOF_S + 1)
    assert (await verdict(system))[0] == "unknown"


async def test_a_young_customer_that_stands_was_not_deleted_after_the_horizon(
    system: ReconcileSystem,
) -> None:
    await system.send_without_answer(
        object="customer", operation="delete_customer", path={"customer": "cus_1"}, params={}
    )
    system.lists.objects["/v1/customers/cus_1"] = {"id": "cus_1", "created": system.clock.now_s()}
    assert (await verdict(system))[0] == "unknown"
    system.clock.advance(PROOF_S + 1)
    assert await verdict(system) == ("not_executed", None)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"operation": "update_payment_intent", "path": {"intent": "pi_1"}}, NO_STATE),
        (
            {
                "object": "customer",
                "operation": "delete_discount_customer",
                "path": {"customer": "cus_1"},
            },
            NO_OWN_ID,
        ),
        ({"object": "billing_meter", "operation": "create_billing_meter"}, UNMARKED_CREATE),
        (
            {
                "object": "account_bank_account",
                "operation": "create_account_bank_account",
                "path": {"account": "acct_1"},
            },
            UNLISTED_CREATE,
        ),
    ],
    ids=str,
)
async def test_an_operation_that_nothing_proves_stays_unknown_with_the_reason(
    system: ReconcileSystem, asked: dict[str, Any], why: str
) -> None:
    await system.send_without_answer(**asked)
    system.clock.advance(PROOF_S + 1)
    assert await verdict(system) == ("unknown", why)
    assert not system.lists.fetches
    assert not system.lists.looks


async def test_an_operation_of_a_newer_release_stays_unknown(system: ReconcileSystem) -> None:
    await system.send_without_answer(operation="brew_tea", object="tea")
    assert (await verdict(system))[0] == "unknown"


async def test_a_create_below_another_object_is_searched_in_the_list_at_its_path(
    system: ReconcileSystem,
) -> None:
    await system.send_without_answer(
        object="customer_balance_transaction",
        operation="create_customer_balance_transaction",
        path={"customer": "cus_1"},
    )
    system.add_object()
    assert await verdict(system) == ("created", None)
    assert system.lists.pages[0]["path"] == "/v1/customers/cus_1/balance_transactions"


async def test_an_object_that_an_incomplete_list_lacks_may_exist(system: ReconcileSystem) -> None:
    await system.send_without_answer(object="payment_method", operation="create_payment_method")
    system.clock.advance(PROOF_S + 1)
    assert await verdict(system) == ("unknown", INCOMPLETE_LIST)


async def test_the_log_and_the_report_name_the_operation(system: ReconcileSystem) -> None:
    await system.send_without_answer(**CAPTURE)
    (one,) = (await system.reconcile()).reconciled
    assert one.operation == "capture_payment_intent"
    assert system.log.lines[-1][1]["operation"] == "capture_payment_intent"
