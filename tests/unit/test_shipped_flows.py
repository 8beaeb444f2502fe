"""The shipped flows capture a payment that is authorised, and cancel it only if nothing was captured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import NOW_S, entry, make_failure

from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.domain.outcomes import Certainty, ErrorKind, Response
from paydispatch.flow import FLOW_FAILED, Flow, ParsedError

if TYPE_CHECKING:
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.outcomes import Error

FLOWS = FlowFolder(Path(__file__).parents[2] / "flows")


async def sent_by(script: str, argument: Any, **changes: Any) -> tuple[Envelope, ...]:
    """Run a shipped script and return the requests that it dispatches."""
    flow = Flow(entry(**changes), attempt=1, now_s=NOW_S)
    await FLOWS.run(script, argument, flow)
    return flow.outbox


async def after_create(**fields: Any) -> tuple[Envelope, ...]:
    intent = {"id": "pi_1", "status": "requires_capture", "metadata": {}, **fields}
    return await sent_by(
        "new_create_payment_intent_response", intent, outcome=Response(body=intent, attempts=1)
    )


async def after_failed(operation: str, **fields: Any) -> tuple[Envelope, ...]:
    error: Error = make_failure(**fields)
    return await sent_by(
        f"new_{operation}_payment_intent_error",
        ParsedError(error),
        operation=f"{operation}_payment_intent",
        path={"intent": "pi_1"},
        params={},
        outcome=error,
    )


async def test_an_authorised_payment_is_captured() -> None:
    (sent,) = await after_create()
    assert (sent.operation, sent.path, sent.params) == (
        "capture_payment_intent",
        {"intent": "pi_1"},
        {},
    )


async def test_a_final_amount_in_the_metadata_is_captured() -> None:
    (sent,) = await after_create(metadata={"final_amount": "1500"})
    assert sent.params == {"amount_to_capture": 1500}


@pytest.mark.parametrize("status", ["succeeded", "processing", "requires_action", "canceled"])
async def test_a_payment_that_is_not_authorised_is_not_captured(status: str) -> None:
    assert await after_create(status=status) == ()


async def test_a_payment_whose_capture_was_not_executed_is_canceled() -> None:
    (sent,) = await after_failed("capture", certainty=Certainty.NOT_EXECUTED)
    assert (sent.operation, sent.path) == ("cancel_payment_intent", {"intent": "pi_1"})


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": ErrorKind.HTTP, "code": "timeout"},
        {"kind": ErrorKind.DISPATCHER, "code": FLOW_FAILED},  # the capture itself was executed
    ],
    ids=["unknown", "flow_failed"],
)
async def test_a_payment_that_may_have_been_captured_is_not_canceled(
    fields: dict[str, Any],
) -> None:
    assert await after_failed("capture", certainty=Certainty.UNKNOWN, **fields) == ()


@pytest.mark.parametrize("certainty", [Certainty.NOT_EXECUTED, Certainty.UNKNOWN])
@pytest.mark.parametrize("code", ["payment_intent_unexpected_state", "timeout", FLOW_FAILED])
async def test_a_cancel_that_failed_dispatches_nothing(code: str, certainty: Certainty) -> None:
    assert await after_failed("cancel", code=code, certainty=certainty) == ()


@pytest.mark.parametrize("operation", ["capture", "cancel"])
async def test_a_payment_that_is_captured_or_canceled_dispatches_nothing(operation: str) -> None:
    intent = {"id": "pi_1", "status": "succeeded", "amount_received": 2000}
    name = f"{operation}_payment_intent"
    outcome = Response(body=intent, attempts=1)
    changes = {"operation": name, "path": {"intent": "pi_1"}, "outcome": outcome}
    assert await sent_by(f"new_{name}_response", intent, **changes) == ()
