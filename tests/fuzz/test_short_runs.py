"""The short form of `make fuzz`: hostile requests and messages cause no fault of paydispatch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.fuzz import messages, queue_run
from tests.fuzz.api_runs import fuzz_document, fuzz_events, fuzz_wrong_events
from tests.fuzz.queue_run import QueueRun

from paydispatch.handlers.stripe_caller import work_on

if TYPE_CHECKING:
    import pytest
    from tests.fuzz.messages import Fields, Messages

SEED = 7


def test_no_event_that_a_caller_can_cause_is_answered_with_a_fault() -> None:
    tally = fuzz_events(250, seed_=SEED)
    assert not tally.faults, tally.describe("events")
    assert {"202", "400", "404", "422"} <= tally.statuses.keys()


def test_no_event_of_a_wrong_form_makes_the_api_raise() -> None:
    tally = fuzz_wrong_events(100, seed_=SEED)
    assert not tally.faults, tally.describe("wrong events")
    assert tally.statuses["501"]


def test_the_answers_to_cases_of_our_own_document_are_as_it_says() -> None:
    some = ["/v1/products", "/v1/payment_intents/{intent}/capture", "/v1/requests/{request_id}"]
    tally = fuzz_document(10, seed_=SEED, only=some)
    assert not tally.faults, tally.describe("the document")
    assert tally.envelopes


async def test_spoilt_messages_harm_no_good_one_and_each_ends_in_a_flow_or_dead_lettered() -> None:
    tally = await QueueRun(SEED).run(good=300, spoilt=30)
    assert not tally.faults, tally.describe()
    assert tally.ends.total() == 30


async def test_a_forgery_that_vanishes_is_lost_although_the_good_message_has_its_flow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lose_forgeries(event: Any, *rest: Any) -> Any:
        kept = [one for one in event["Records"] if '"sealed-0"' not in one["body"]]
        return await work_on({"Records": kept}, *rest)

    forge = messages.Messages.forge_a_principal
    monkeypatch.setattr(messages, "_SPOILERS", {forge.__name__: forge})
    monkeypatch.setattr(queue_run, "work_on", lose_forgeries)
    tally = await QueueRun(SEED).run(good=5, spoilt=3)
    assert tally.ends == {"lost": 3}
    assert len(tally.faults) == 3


async def test_a_request_under_a_used_id_is_found_in_its_own_error_flow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def take_a_used_id(_: Messages, fields: Fields) -> str:
        return json.dumps(fields | {"request_id": "used"})

    monkeypatch.setattr(messages, "_SPOILERS", {take_a_used_id.__name__: take_a_used_id})
    tally = await QueueRun(SEED).run(good=1, spoilt=20)
    assert not tally.faults, tally.describe()
    assert tally.ends == {"a response flow": 1, "an error flow": 19}


def test_a_run_of_one_case_for_each_call_sends_a_valid_and_an_invalid_one() -> None:
    tally = fuzz_document(1, seed_=SEED, only=["/v1/products"])
    assert not tally.faults, tally.describe("the document")
    assert tally.cases == 2
