"""The twin answers every operation of the table with an object that Stripe's document describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.smallest_params import smallest_params

from paydispatch.domain.form_encoding import encode
from paydispatch.domain.operators.lookup_results import Found
from paydispatch.domain.operators.object_states import Fetched, read_state
from paydispatch.domain.stripe.operations import Operation, all_operations, operation_named
from paydispatch.domain.stripe.states import RULES
from paydispatch.twin.objects.addresses import answered_kinds

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client, Reply

EVERY_OPERATION = pytest.mark.parametrize("operation", all_operations(), ids=lambda row: row.name)


def send(stripe: Client, operation: Operation) -> Reply:
    endpoint = operation.endpoint({name: f"{name}_1" for name in operation.path_names})
    form = encode(smallest_params(operation)).decode()
    return stripe.finish(stripe.start(operation.method, endpoint, form))


@EVERY_OPERATION
def test_a_lenient_twin_executes_it_once(stripe: Client, operation: Operation) -> None:
    reply = send(stripe, operation)
    assert reply.status == 200, reply.text
    assert reply.json["object"] in answered_kinds(operation)
    (effect,) = stripe.effects()
    assert (effect["operation"], effect["id"]) == (operation.name, reply.json.get("id"))


@pytest.mark.parametrize("name", RULES)
def test_the_object_is_in_a_state_that_proves_the_operation_afterwards(
    stripe: Client, name: str
) -> None:
    operation = operation_named(name)
    body = send(stripe, operation).json
    found = read_state(RULES[name], body["id"], smallest_params(operation), Fetched(body))
    assert found == Found(body), found


@pytest.mark.parametrize(
    "operation", [row for row in all_operations() if row.path_names], ids=lambda row: row.name
)
def test_a_strict_twin_knows_no_id_that_it_never_gave(
    strict_stripe: Client, operation: Operation
) -> None:
    reply = send(strict_stripe, operation)
    assert (reply.status, reply.error["code"]) == (404, "resource_missing"), reply.text
    assert strict_stripe.effects() == []
