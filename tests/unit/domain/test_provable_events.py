"""The table of events: each row is an operation, and Stripe's library knows each type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import stripe

from paydispatch.domain.looks import provable_events
from paydispatch.domain.looks.provable_events import (
    PROVABLE_EVENTS,
    EventProof,
    event_proof,
    types_of,
)
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import ByMark, ByState, NoProof, proof_of

ROWS = sorted(PROVABLE_EVENTS)
LIBRARY = Path(stripe.__file__).parent / "params" / "_webhook_endpoint_create_params.py"


def test_stripe_s_library_knows_every_type() -> None:
    known = set(re.findall(r'"([a-z0-9_.]+)"', LIBRARY.read_text("utf-8")))
    assert {"payment_intent.created", "coupon.updated"} <= known
    assert known >= provable_events.PROVABLE_TYPES


def test_no_operation_has_two_rows() -> None:
    rows = [*provable_events._CREATES, *provable_events._STATES, *provable_events._UPDATES]
    assert len(rows) == len(set(rows)) == len(PROVABLE_EVENTS)


@pytest.mark.parametrize("name", ROWS)
def test_each_row_is_an_operation_that_stripe_keys(name: str) -> None:
    assert operation_named(name).method == "POST"


@pytest.mark.parametrize(
    ("rows", "proof", "said"),
    [
        (provable_events._CREATES, ByMark, EventProof.MARK),
        (provable_events._STATES, ByState, EventProof.STATE),
        (provable_events._UPDATES, NoProof, EventProof.EVENT),
    ],
)
def test_each_row_stands_in_the_part_of_its_proof(
    rows: dict[str, tuple[str, ...]], proof: type, said: EventProof
) -> None:
    for name, types in rows.items():
        assert isinstance(proof_of(operation_named(name)), proof), name
        assert {event_proof(name, type_) for type_ in types} == {said}


@pytest.mark.parametrize("name", ROWS)
def test_each_type_is_about_the_operation_s_own_object(name: str) -> None:
    """Stripe's names differ for a few objects, and those are listed here."""
    special = {
        "subscription": "customer.subscription",
        "invoice_item": "invoiceitem",
        "dispute": "charge.dispute",
    }
    object_ = operation_named(name).object
    spelled = {special.get(object_, object_), object_.replace("_", ".", 1)}
    for type_ in PROVABLE_EVENTS[name]:
        assert type_.rpartition(".")[0] in spelled


@pytest.mark.parametrize(
    ("operation", "type_"),
    [
        ("create_product", "product.updated"),
        ("create_payment_intent", "charge.succeeded"),
        ("delete_coupon", "coupon.deleted"),
        ("update_subscription", "customer.subscription.updated"),
        ("update_payment_intent", "payment_intent.succeeded"),
        ("create_unheard_of", "product.created"),
    ],
)
def test_any_other_pair_proves_nothing(operation: str, type_: str) -> None:
    assert event_proof(operation, type_) is None


def test_the_types_of_several_operations_are_those_of_each() -> None:
    asked = frozenset({"create_coupon", "update_coupon", "delete_coupon"})
    assert types_of(asked) == ("coupon.created", "coupon.updated")
