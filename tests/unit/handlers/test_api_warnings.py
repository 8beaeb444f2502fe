"""The API's answers about parameters that only another version of Stripe's API is known to have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, PARAMS, body

from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION

if TYPE_CHECKING:
    from tests.unit.handlers.conftest import Client

OLDER = {**PARAMS, "payment_method_types": ["card"]}
UNKNOWN = {**PARAMS, "tea": "green", "capture_method": "later"}
PATH = "/v1/payment_intents"


def accepted_line(client: Client) -> dict[str, Any]:
    (fields,) = [fields for event, fields in client.log.lines if event == "request.accepted"]
    return fields


def test_an_older_parameter_is_accepted_with_a_warning(client: Client) -> None:
    answer = client.post(PATH, body(params=OLDER))
    assert answer.status == 202
    (warning,) = answer.json["warnings"]
    assert warning.keys() == {"param", "message"}
    assert warning["param"] == "payment_method_types"
    assert OLDER_API_VERSION in warning["message"]
    assert client.queue.sent[0].params == OLDER


def test_an_answer_without_warnings_has_no_such_field(client: Client) -> None:
    answer = client.post(PATH, body())
    assert "warnings" not in answer.json
    assert accepted_line(client)["warnings"] is None


def test_the_log_line_names_the_parameters_and_no_values(client: Client) -> None:
    client.stripe_api_version = "2027-03-31.flora"
    client.post(PATH, body(params=UNKNOWN))
    assert sorted(accepted_line(client)["warnings"]) == ["capture_method", "tea"]
    assert "green" not in repr(client.log.lines)


def test_an_item_of_a_batch_has_its_own_warnings(client: Client) -> None:
    items = [body(object="payment_intent", params=params) for params in (OLDER, PARAMS)]
    first, second = client.post("/v1/batches", {"requests": items}).json["results"]
    assert [warning["param"] for warning in first["warnings"]] == ["payment_method_types"]
    assert "warnings" not in second


def test_a_replay_repeats_the_warnings(client: Client) -> None:
    answers = [
        client.post(PATH, body(params=OLDER), headers={"idempotency-key": "order-1"})
        for _ in range(2)
    ]
    assert answers[1].headers["Idempotent-Replayed"] == "true"
    assert answers[0].json["warnings"] == answers[1].json["warnings"]


@pytest.mark.parametrize(
    ("version", "status"), [(STRIPE_API_VERSION, 422), ("2027-03-31.flora", 202)]
)
def test_unknown_names_and_values_are_accepted_if_another_version_is_set(
    client: Client, version: str, status: int
) -> None:
    client.stripe_api_version = version
    answer = client.post(PATH, body(params=UNKNOWN))
    assert answer.status == status
    said = answer.json["warnings" if status == 202 else "errors"]
    assert sorted(each["param"] for each in said) == ["capture_method", "tea"]


@pytest.mark.parametrize("params", [{**PARAMS, "confirm": [1]}, {**PARAMS, "tea": KEY}])
def test_structure_and_secrets_are_refused_with_every_version(
    client: Client, params: dict[str, Any]
) -> None:
    client.stripe_api_version = "2027-03-31.flora"
    answer = client.post(PATH, body(params=params))
    assert answer.status == 422
    assert KEY not in answer.text
