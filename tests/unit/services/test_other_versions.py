"""Another version of Stripe's API in the Stripe caller and in the runner."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import CREATED, PARAMS, envelope

from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

if TYPE_CHECKING:
    from tests.unit.services.conftest import Caller, Runner

    from paydispatch.flow import Flow

OTHER = "2027-03-31.flora"
UNKNOWN = {**PARAMS, "tea": "green"}


def warned_lines(caller: Caller) -> list[list[str]]:
    return [fields["warnings"] for event, fields in caller.log.lines if event == "request.warned"]


async def test_the_caller_sends_an_unknown_name_if_another_version_is_set(caller: Caller) -> None:
    caller.stripe_api_version = OTHER
    caller.answers(CREATED)
    assert await caller.receive(envelope(params=UNKNOWN))
    assert caller.outcome.body == CREATED.body
    assert warned_lines(caller) == [["tea"]]
    assert "green" not in repr(caller.log.lines)


async def test_the_caller_refuses_it_with_the_version_of_the_schemas(caller: Caller) -> None:
    assert await caller.receive(envelope(params=UNKNOWN))
    assert (caller.outcome.code, caller.outcome.param) == ("parameter_unknown", "tea")
    assert warned_lines(caller) == []


async def test_the_caller_warns_at_the_first_attempt_only(caller: Caller) -> None:
    params = {**PARAMS, "payment_method_types": ["card"]}
    first = envelope(params=params)
    caller.answers(CREATED)
    await caller.receive(first.at(replace(first.progress, attempt=2)))
    assert warned_lines(caller) == []
    caller.answers(CREATED)
    await caller.receive(envelope(request_id="pdr_2", params=params))
    assert warned_lines(caller) == [["payment_method_types"]]


@pytest.mark.parametrize(("version", "sent"), [(OTHER, 1), (STRIPE_API_VERSION, 0)])
async def test_a_flow_may_dispatch_an_unknown_name_if_another_version_is_set(
    runner: Runner, caplog: pytest.LogCaptureFixture, version: str, sent: int
) -> None:
    def response(parsed_data: Any, flow: Flow) -> None:
        flow._dispatch(
            "create_payment_intent",
            UNKNOWN,
            idempotency_key=None,
            lane="interactive",
            deadline_s=None,
            stripe_account=None,
            stripe_context=None,
            unchecked_params=None,
        )

    runner.stripe_api_version = version
    runner.put()
    with caplog.at_level(logging.WARNING, "paydispatch.flows"):
        await runner.with_scripts(response=response).drain("worker-1")
    assert len(runner.queue.sent) == sent
    assert sum("unknown parameter: tea" in record.message for record in caplog.records) == sent
