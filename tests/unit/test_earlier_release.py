"""During a rolling deployment programs of an earlier release read the messages of the code of now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from tests.smallest_params import is_accepted, smallest_params
from tests.unit.examples import TRACEPARENT, create_request, entry, make_failure, make_success
from tests.unit.services.conftest import Api

from paydispatch.domain.identity.principal import LOCAL, Principal
from paydispatch.domain.stripe.operations import all_operations

if TYPE_CHECKING:
    from paydispatch.domain.outcomes import Outcome
    from paydispatch.domain.stripe.operations import Operation

RECORDINGS = {
    file.stem: json.loads(file.read_text("utf-8"))
    for file in sorted((Path(__file__).parents[1] / "data" / "upgrade").glob("*.json"))
}
OPERATIONS = [
    operation
    for operation in all_operations()
    if is_accepted(operation, smallest_params(operation))
]

earlier_release = pytest.fixture(params=RECORDINGS)(
    lambda request: RECORDINGS[request.param]["readers"]
)


@pytest.mark.parametrize("principal", [LOCAL, Principal("shop", "role:checkout")], ids=str)
def test_the_messages_of_every_operation_keep_the_schema_of_the_earlier_release(
    earlier_release: dict[str, Any], principal: Principal
) -> None:
    schema = jsonschema_rs.Draft202012Validator(earlier_release["envelope"])
    assert [
        (operation.name, error.message)
        for operation in OPERATIONS
        for error in schema.iter_errors(message_of(operation, principal))
    ] == []


def message_of(operation: Operation, principal: Principal) -> Any:
    """Return the message of a request with every field that a caller can set."""
    api = Api()
    request = create_request(
        operation=operation.name,
        params=smallest_params(operation),
        path=dict.fromkeys(operation.path_names, "id_1"),
        idempotency_key="order-1",
        stripe_account="acct_1",
        unchecked_params={"future": "1"},
        traceparent=TRACEPARENT,
    )
    api.accept(request, principal)
    return json.loads(api.queue.sent[-1].as_message())


def test_the_earlier_release_refuses_a_subject_with_a_path_and_parks_its_message(
    earlier_release: dict[str, Any],
) -> None:
    """It is the one exception, so that the callers are deployed before the API (docs/how-to/upgrade.md)."""
    message = message_of(OPERATIONS[0], Principal("shop", "auth0|5f7c"))
    schema = jsonschema_rs.Draft202012Validator(earlier_release["envelope"])
    assert [error.instance_path for error in schema.iter_errors(message)] == [["principal"]]


@pytest.mark.parametrize("outcome", [make_success(), make_failure()], ids=["response", "error"])
def test_an_outcome_has_the_fields_that_the_earlier_release_needs(
    earlier_release: dict[str, Any], outcome: Outcome
) -> None:
    told = json.loads(entry(outcome=outcome).as_json())
    told["outcome"] = told.get("response") or told.get("error")
    assert set(earlier_release["entry_needs"]) <= told.keys()
