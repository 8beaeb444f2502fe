"""The tables of proofs and of repeats, held to the table of operations."""

from __future__ import annotations

import pytest

from paydispatch.domain.outcomes import Certainty
from paydispatch.domain.parameters.check import parameter_names
from paydispatch.domain.stripe.operations import Operation, all_operations, operation_named
from paydispatch.domain.stripe.proofs import (
    COMPLETE_LISTS,
    ByAbsence,
    ByMark,
    ByState,
    NoProof,
    own_id,
    own_path,
    proof_of,
    unexecuted_word,
)
from paydispatch.domain.stripe.repeats import (
    CHOSEN_IDS,
    Repeat,
    repeat_of,
    repeats_of,
    rule_named,
)
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.states import RULES

EVERY = [pytest.param(operation, id=operation.name) for operation in all_operations()]


def ids_of(operation: Operation) -> dict[str, str]:
    return {name: f"{name}_1" for name in operation.path_names}


@pytest.mark.parametrize("name", RULES)
def test_each_row_of_states_is_an_operation_on_an_object_with_an_id(name: str) -> None:
    operation = operation_named(name)
    assert operation.path_names
    assert not operation.creates
    assert isinstance(proof_of(operation), ByState)


@pytest.mark.parametrize("name", RULES)
def test_no_state_proves_both(name: str) -> None:
    rule = RULES[name]
    assert rule.done
    assert not set(rule.done) & set(rule.undone)


@pytest.mark.parametrize("name", RULES)
def test_each_parameter_that_a_state_must_show_is_one_of_its_operation(name: str) -> None:
    rule = RULES[name]
    named = {*rule.more, *(parameter for parameter, _ in rule.same)}
    assert named <= parameter_names(name)


@pytest.mark.parametrize("operation", EVERY)
def test_an_update_is_never_proven_by_its_object(operation: Operation) -> None:
    if operation.name.startswith("update_"):
        assert isinstance(proof_of(operation), NoProof)


@pytest.mark.parametrize("operation", EVERY)
def test_only_a_marked_create_with_a_list_is_proven_by_the_mark(operation: Operation) -> None:
    proven = isinstance(proof_of(operation), ByMark)
    assert proven == (operation.marked and operation.listing is not None)


@pytest.mark.parametrize("operation", EVERY)
def test_only_a_delete_of_an_id_is_proven_by_absence(operation: Operation) -> None:
    if isinstance(proof_of(operation), ByAbsence):
        assert operation.method == "DELETE"
        assert operation.path.endswith("}")


def test_the_ids_that_a_caller_can_choose_are_those_that_a_create_takes() -> None:
    creates = [operation for operation in all_operations() if operation.creates]
    named = {row.object for row in creates if "id" in parameter_names(row.name)}
    assert named == CHOSEN_IDS


def test_the_ten_creates_are_proven_by_their_mark() -> None:
    proofs = [proof_of(operation_named(resource.operation)) for resource in RESOURCES]
    assert all(isinstance(proof, ByMark) and proof.complete for proof in proofs)


@pytest.mark.parametrize("name", sorted(COMPLETE_LISTS))
def test_each_complete_list_is_that_of_a_marked_create(name: str) -> None:
    assert isinstance(proof_of(operation_named(name)), ByMark)


@pytest.mark.parametrize("operation", EVERY)
def test_a_post_is_repeated_under_its_key_and_a_delete_only_while_it_is_safe(
    operation: Operation,
) -> None:
    rule = repeat_of(operation)
    assert (rule is Repeat.KEYED) == (operation.method == "POST")
    assert (rule is Repeat.UNTIL_TOLD) == (
        operation.method == "DELETE" and operation.path.endswith("}")
    )


@pytest.mark.parametrize(
    "name",
    [
        "delete_discount_customer",
        "delete_discount_subscription",
        "delete_discount_customer_subscription",
    ],
)
def test_a_discount_has_no_id_in_its_path(name: str) -> None:
    assert rule_named(name) is Repeat.UNTIL_DOUBT
    assert isinstance(proof_of(operation_named(name)), NoProof)


@pytest.mark.parametrize("operation", EVERY)
def test_the_own_path_ends_with_the_own_id(operation: Operation) -> None:
    ids = ids_of(operation)
    if ids:
        assert own_path(operation, ids).endswith(f"/{own_id(operation, ids)}")
        assert operation.endpoint(ids).startswith(own_path(operation, ids))


def test_the_own_path_of_a_capture_is_that_of_its_intent() -> None:
    capture = operation_named("capture_payment_intent")
    assert own_path(capture, {"intent": "pi_1"}) == "/v1/payment_intents/pi_1"


@pytest.mark.parametrize(
    ("name", "ids", "body"),
    [
        ("delete_coupon", {"coupon": "SUMMER"}, {"id": "SUMMER", "deleted": True}),
        (
            "cancel_subscription",
            {"subscription_exposed_id": "sub_1"},
            {"id": "sub_1", "status": "canceled"},
        ),
        (
            "delete_customer_tax_id",
            {"customer": "cus_1", "id": "txi_1"},
            {"id": "txi_1", "deleted": True},
        ),
        ("delete_discount_customer", {"customer": "cus_1"}, None),
        ("capture_payment_intent", {"intent": "pi_1"}, None),
    ],
)
def test_the_body_for_a_lost_answer_holds_only_what_a_404_proves(
    name: str, ids: dict[str, str], body: dict[str, object] | None
) -> None:
    assert repeats_of(operation_named(name), ids, {}).gone == body


@pytest.mark.parametrize(
    ("params", "proves"),
    [
        ({}, True),
        ({"invoice_now": False}, True),
        ({"invoice_now": True}, False),
        ({"invoice_now": "true"}, False),
        ({"prorate": True}, False),
    ],
)
def test_a_404_proves_no_invoice_of_a_cancellation(params: dict[str, object], proves: bool) -> None:
    ids = {"subscription_exposed_id": "sub_1"}
    gone = repeats_of(operation_named("cancel_subscription"), ids, params).gone
    assert (gone is not None) == proves


@pytest.mark.parametrize("operation", EVERY)
def test_only_creates_are_not_created(operation: Operation) -> None:
    word = Certainty.NOT_CREATED if operation.creates else Certainty.NOT_EXECUTED
    assert unexecuted_word(operation.name) is word
