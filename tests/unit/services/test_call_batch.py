"""`BatchCall`: no message fails its neighbours, and no exception leaves the batch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import (
    CREATED,
    KEY,
    PARAMS,
    TIMED_OUT,
    create_request,
    envelope,
    make_refusal,
    message,
    message_text,
)
from tests.unit.services.conftest import Api, Caller

from paydispatch.domain.attempts import Answered, RefusedInFront
from paydispatch.domain.identity.request_ids import request_id_for_message, request_id_for_unread
from paydispatch.domain.outcomes import Certainty, ErrorKind
from paydispatch.testing.memory_stripe import MemoryStripe

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.domain.attempts import Attempt

POISON = {
    "not JSON": "{",
    "no object": "[]",
    "deep": "[" * 50_000,
    "a plaintext key": message_text(stripe_secret=KEY),
    "no worker": message_text(worker_id=None),
    "half a character": message_text(context_id="\ud800"),
    "a huge number": message_text(attempt=7).replace("7", "7" + "0" * 300),
    "a huge parameter": message_text(params={"amount": 7}).replace("7", "7" + "0" * 300),
    "an endless parameter": message_text(params={"amount": 7}).replace("7", "7e999"),
    "deep parameters": json.dumps({**message(), "params": 0}).replace(
        "0", '{"a":' * 270 + "1" + "}" * 270
    ),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
async def test_a_poison_message_fails_none_of_its_neighbours(caller: Caller, poison: str) -> None:
    caller.answers(CREATED)
    kept = await caller.receive_all(
        caller.message(envelope(request_id="before"), id_="m-1"),
        caller.message(poison, id_="m-2"),
        caller.message(envelope(request_id="after"), id_="m-3"),
    )
    assert (
        kept == []
    )  # the poison is acknowledged too, because its error is published or it is parked
    succeeded = [each.request_id for each in caller.outcomes.entries if each.outcome.settled]
    assert {"before", "after"} <= set(succeeded)


async def test_a_message_without_a_worker_is_parked_and_counted(caller: Caller) -> None:
    text = message_text(worker_id=None, sealed_secret=KEY)
    assert await caller.receive(text)
    ((parked, reason, _),) = caller.queue.parked
    assert reason == "plaintext_key_refused"
    assert json.loads(parked) == {**json.loads(text), "sealed_secret": "sk_test_[hidden]"}
    assert caller.log.counts == {"MessageNotAttributable": 1}
    assert not caller.outcomes.entries


async def test_a_malformed_message_with_a_worker_gets_its_error_flow(caller: Caller) -> None:
    assert await caller.receive(message_text(stripe_secret=KEY))
    (entry,) = caller.outcomes.entries
    assert entry.flow_name == "new_create_payment_intent_error"
    assert entry.request_id == request_id_for_unread(
        request_id_for_message("m-1"), message_text(stripe_secret=KEY)
    )
    assert (caller.outcome.kind, caller.outcome.code) == (
        ErrorKind.DISPATCHER,
        "plaintext_key_refused",
    )
    assert caller.outcome.certainty is Certainty.NOT_CREATED
    assert caller.doorbell.rung == ["worker-1"]
    assert not caller.stripe.calls
    assert not caller.queue.parked


@pytest.mark.parametrize("depth", [33, 254, 500, 979, 5_000])
async def test_a_message_nested_too_deeply_gets_its_error_flow(caller: Caller, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    assert await caller.receive(
        message_text(params="here").replace('"here"', f'{{"metadata":{nested}}}')
    )
    (entry,) = caller.outcomes.entries
    assert (caller.outcome.code, caller.outcome.param) == ("message_invalid", "metadata")
    assert entry.params == {}


@pytest.mark.parametrize("place", ["name", "value", "context_id", "traceparent", "colour"])
async def test_no_key_in_a_message_is_published_parked_or_logged(
    caller: Caller, place: str
) -> None:
    params = {"metadata": {KEY: "a"} if place == "name" else {"a": f"glued{KEY}"}}
    in_params = place in ("name", "value")
    change = {"params": params} if in_params else {place: f"glued{KEY}"}
    assert await caller.receive(message_text(**change))
    assert caller.outcome.code == "plaintext_key_refused"
    published = [entry.as_json() for entry in caller.outcomes.entries]
    assert KEY not in repr((published, caller.queue.parked, caller.log.lines))


async def test_an_escaped_key_in_an_unreadable_message_is_not_parked(
    caller: Caller,
) -> None:
    assert await caller.receive("{" + KEY.replace("_", "\\u005f"))
    ((parked, _, _),) = caller.queue.parked
    assert parked == "{sk_test_[hidden]"


async def test_our_metadata_pair_from_a_caller_is_refused_among_50_pairs(caller: Caller) -> None:
    metadata = {**{f"k{place}": "v" for place in range(49)}, "paydispatch_request_id": "pdr_2"}
    assert await caller.receive(message_text(params={**PARAMS, "metadata": metadata}))
    assert caller.outcome.param == "metadata[paydispatch_request_id]"
    assert not caller.stripe.calls


async def test_a_malformed_message_publishes_one_error_over_all_its_receives(
    caller: Caller,
) -> None:
    assert await caller.receive(message_text(v=3))
    assert await caller.receive(message_text(v=3), receive=2)
    assert len(caller.outcomes.entries) == 1


@pytest.mark.parametrize(("text", "away"), [(message_text(v=3), "outcomes"), ("nonsense", "queue")])
async def test_a_malformed_message_is_kept_while_its_error_cannot_be_published_or_parked(
    caller: Caller, text: str, away: str
) -> None:
    getattr(caller, away).away = True
    assert not await caller.receive(text)


async def test_a_direct_producers_message_becomes_a_request(caller: Caller) -> None:
    caller.answers(CREATED)
    assert await caller.receive(message_text())
    (entry,) = caller.outcomes.entries
    assert entry.request_id == request_id_for_message("m-1")
    assert entry.principal == "queue"


async def test_a_fault_in_paydispatch_fails_only_its_message(caller: Caller) -> None:
    caller.stripe = FaultyStripe(CREATED)
    kept = await caller.receive_all(
        caller.message(envelope(request_id="faulty"), id_="m-1"),
        caller.message(envelope(request_id="sound"), id_="m-2"),
    )
    assert kept == ["m-1"]
    assert [each.request_id for each in caller.outcomes.entries] == ["sound"]
    assert caller.log.counts["MessageFailed"] == 1


async def test_a_refusal_after_a_fault_in_paydispatch_is_unknown(caller: Caller) -> None:
    caller.stripe = FaultyStripe(make_refusal(400))
    assert not await caller.receive(envelope(request_id="faulty"))
    caller.answers(make_refusal(400))
    assert await caller.receive(envelope(request_id="faulty"), receive=2)
    assert caller.outcome.certainty is Certainty.UNKNOWN


async def test_an_empty_batch_keeps_no_message(caller: Caller) -> None:
    assert await caller.receive_all() == []


class FaultyStripe(MemoryStripe):
    """A gateway that raises for the request `faulty`, which no gateway should do."""

    async def call(self, **call: Any) -> Attempt:
        if call["request_id"] == "faulty":
            raise ZeroDivisionError
        return await super().call(**call)


ENDS: dict[str, tuple[Attempt, ...]] = {
    "success": (CREATED,),
    "refusal": (make_refusal(401, message=f"Invalid API Key provided: sk_test_{'*' * 20}Hush"),),
    "doubt": (TIMED_OUT, make_refusal(400)),
    "deferral": (TIMED_OUT,),
}


@pytest.mark.parametrize("answers", ENDS.values(), ids=ENDS)
async def test_the_key_appears_nowhere_between_the_api_and_the_stream(
    api: Api, answers: tuple[Attempt, ...]
) -> None:
    api.accept(create_request())
    (sent,) = api.queue.sent
    caller = Caller(api.sealer)
    caller.answers(*answers)
    assert await caller.receive(sent, left_s=6.3)
    assert caller.stripe.calls[0]["key"].reveal() == KEY
    assert KEY not in caller.observable()
    assert KEY not in sent.as_message() + repr(sent) + repr(api.log.lines)
    assert KEY not in repr(caller.stripe.calls)


@pytest.mark.parametrize("place", ["stripe_secret", "sealed_secret", "secret_ref"])
@pytest.mark.parametrize("attributed", [True, False])
async def test_a_plaintext_key_on_the_queue_is_copied_nowhere(
    caller: Caller, place: str, attributed: bool
) -> None:
    clear: Callable[..., str] = message_text
    text = clear(**{place: KEY, "worker_id": "worker-1" if attributed else None})
    assert await caller.receive(text)
    assert KEY not in caller.observable()


@pytest.mark.parametrize("field", ["params", "unchecked_params"])
async def test_an_endless_number_is_parked_at_its_first_receive_if_its_principal_is_not_proven(
    caller: Caller, field: str
) -> None:
    """A copy of such a message cannot be written, because JSON has no text for infinity."""
    forged = message_text(v=2, principal="acme/role:x", **{field: {"amount": 7}})
    assert await caller.receive(forged.replace('"amount": 7', '"amount": 7e999'))
    assert len(caller.queue.parked) == 1


async def test_an_endless_number_gets_its_error_flow_in_json_that_every_program_reads(
    caller: Caller,
) -> None:
    assert await caller.receive(POISON["an endless parameter"])
    (published,) = caller.outcomes.entries
    assert (published.outcome.code, published.outcome.param) == ("message_invalid", "amount")
    assert "Infinity" not in published.as_json()


@pytest.mark.parametrize(
    "attempt",
    [
        Answered(200, {"id": "pi_1"}, f"Bearer {KEY}"),
        Answered(402, {"error": {"message": "no"}}, KEY),
        RefusedInFront(400, {"message": "no"}, None, KEY),
    ],
    ids=["created", "declined", "refused"],
)
async def test_a_key_in_a_header_of_stripes_answer_is_not_published(
    caller: Caller, attempt: Attempt
) -> None:
    """A proxy between us and Stripe may write the header `Request-Id`."""
    caller.answers(attempt)
    await caller.receive(envelope())
    assert "[hidden]" in caller.outcome.stripe_request_id
    assert KEY not in caller.observable()
