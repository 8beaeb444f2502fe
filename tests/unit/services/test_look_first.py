"""Before an unknown outcome is published, one look at Stripe: whose effect is there, is never told `unknown`."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.examples import (
    IN_AN_HOUR,
    KEY,
    NOW_S,
    PARAMS,
    SECRET_REF,
    TIMED_OUT,
    envelope,
    make_refusal,
)

from paydispatch.adapters.stripe.lists import HttpStripeLists
from paydispatch.domain.attempts import Unknown
from paydispatch.domain.claims import Send, SendEnd, claim_of
from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.limits import HORIZON_S, MOST_ATTEMPTS
from paydispatch.domain.outcomes import Certainty, Response
from paydispatch.domain.progress import Progress
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.services.call_batch import PUBLISHING_TIME_S
from paydispatch.services.calls.look_first import LEAST_LOOK_S, LONGEST_LOOK_S, MOST_READS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.unit.services.conftest import Caller

    from paydispatch.domain.envelope import Envelope

MADE = {
    "id": "pi_1",
    "object": "payment_intent",
    "created": int(NOW_S),
    "metadata": {MARK: "pdr_1"},
}
KEPT_500 = Unknown("Stripe answered with a server error", "server_error", 500, False, "req_500")
DECLINED = {
    **MADE,
    "status": "requires_payment_method",
    "last_payment_error": {"type": "card_error", "code": "card_declined", "message": "declined"},
}
CONFIRMED = {**PARAMS, "confirm": True, "payment_method": "pm_card_visa"}
SPENT = Progress(deadline_at=NOW_S + 0.1)

IN_DOUBT = replace(IN_AN_HOUR, maybe_executed=True, first_sent_at=NOW_S, attempt=2)


@pytest.mark.parametrize(
    ("progress", "attempt"),
    [
        pytest.param(SPENT, TIMED_OUT, id="its deadline is near"),
        pytest.param(replace(IN_DOUBT, deadline_at=NOW_S), TIMED_OUT, id="its deadline passed"),
        pytest.param(IN_AN_HOUR, KEPT_500, id="Stripe keeps a 500"),
        pytest.param(
            replace(IN_AN_HOUR, attempt=MOST_ATTEMPTS), TIMED_OUT, id="attempts are spent"
        ),
        pytest.param(IN_DOUBT, make_refusal(400), id="it is refused after a lost answer"),
    ],
)
async def test_an_effect_that_stripe_shows_is_never_told_unknown(
    caller: Caller, progress: Progress, attempt: Any
) -> None:
    caller.fraction = 0.99
    caller.lists.created = [MADE]
    caller.answers(attempt)
    assert await caller.receive(envelope(progress=progress))
    (told,) = caller.outcomes.entries
    assert told.outcome.body == MADE
    assert told.inferred
    assert not caller.queue.parked
    assert not caller.outcomes.unknown
    assert caller.requests.status("pdr_1") == "succeeded"


async def test_past_the_horizon_a_look_settles_what_may_not_be_sent(caller: Caller) -> None:
    began = NOW_S - HORIZON_S
    caller.lists.created = [{**MADE, "created": int(began)}]
    old = replace(IN_DOUBT, first_sent_at=began)
    assert await caller.receive(envelope(progress=old))
    assert isinstance(caller.outcome, Response)


async def test_a_declined_card_that_stripe_shows_is_told_as_its_answer(caller: Caller) -> None:
    caller.lists.created = [DECLINED]
    caller.answers(KEPT_500)
    assert await caller.receive(envelope(params=CONFIRMED))
    assert (caller.outcome.code, caller.outcome.answered) == ("card_declined", True)
    assert caller.outcome.certainty is Certainty.NOT_CREATED


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param([], id="nothing"),
        pytest.param([{**MADE, "metadata": {MARK: "pdr_2"}}], id="the object of another request"),
        pytest.param(
            [{**MADE, "status": "requires_confirmation"}], id="an object that is not confirmed yet"
        ),
    ],
)
async def test_what_proves_nothing_leaves_the_outcome_unknown(
    caller: Caller, listed: list[Mapping[str, Any]]
) -> None:
    caller.lists.created = listed
    caller.answers(KEPT_500)
    assert await caller.receive(envelope(params=CONFIRMED))
    assert caller.outcome.certainty is Certainty.UNKNOWN
    assert caller.lists.looks
    assert len(caller.queue.parked) == 1


async def test_an_absence_is_no_proof_even_after_the_horizon(caller: Caller) -> None:
    """Only a look at the whole list proves an absence, and this one reads two pages."""
    old = replace(IN_DOUBT, first_sent_at=NOW_S - 2 * HORIZON_S)
    assert await caller.receive(envelope(progress=old))
    assert caller.outcome.certainty is Certainty.UNKNOWN


async def test_a_stripe_or_a_limiter_that_is_away_leaves_the_outcome_unknown(
    caller: Caller,
) -> None:
    for request_id, away in (("pdr_1", caller.lists), ("pdr_2", caller.limiter)):
        caller.lists.away = caller.limiter.away = False
        caller.answers(lambda away=away: setattr(away, "away", True) or KEPT_500)
        assert await caller.receive(envelope(request_id=request_id))
    assert [told.outcome.certainty for told in caller.outcomes.entries] == [Certainty.UNKNOWN] * 2


async def test_a_key_that_does_not_open_any_more_leaves_the_outcome_unknown(
    caller: Caller,
) -> None:
    caller.answers(lambda: caller.vault._secrets.clear() or KEPT_500)
    caller.lists.created = [MADE]
    assert await caller.receive(envelope())
    assert caller.outcome.certainty is Certainty.UNKNOWN


async def test_a_key_of_another_account_looks_at_nothing(caller: Caller) -> None:
    asked = envelope(progress=SPENT)
    await send_in_another_account(caller, asked)
    caller.lists.created = [MADE]
    assert await caller.receive(asked)
    assert caller.outcome.code == "account_changed"
    assert caller.outcome.certainty is Certainty.UNKNOWN
    assert not caller.lists.looks
    assert caller.accounts.asked == [KEY]  # once for the send, and not for a look


async def test_a_last_receive_looks_at_nothing(caller: Caller) -> None:
    caller.lists.created = [MADE]
    assert await caller.receive(envelope(progress=IN_DOUBT), receive=5)
    assert caller.outcome.code == "last_receive"
    assert not caller.lists.looks


async def test_a_request_that_was_certainly_not_sent_looks_at_nothing(caller: Caller) -> None:
    caller.clock.advance(3600)
    assert await caller.receive(envelope())
    assert caller.outcome.code == "deadline_exceeded"
    assert not caller.lists.looks


async def test_without_time_for_a_look_a_copy_looks_once(caller: Caller) -> None:
    caller.lists.created = [MADE]
    caller.answers(KEPT_500)
    little = PUBLISHING_TIME_S + LEAST_LOOK_S - 0.5
    assert await caller.receive(envelope(), left_s=little)
    assert not caller.outcomes.entries
    assert not caller.lists.looks
    assert caller.queue.deferred[0][0].progress.maybe_executed
    assert await caller.receive_deferred()
    assert isinstance(caller.outcome, Response)


async def test_a_copy_that_has_no_time_either_is_told_unknown(caller: Caller) -> None:
    """A copy that always finds too little time must not go round for ever."""
    late = replace(IN_DOUBT, deadline_at=NOW_S)
    little = PUBLISHING_TIME_S + LEAST_LOOK_S - 0.5
    assert await caller.receive(envelope(progress=late), left_s=little)
    assert await caller.receive_deferred(left_s=little)
    assert caller.outcome.certainty is Certainty.UNKNOWN
    assert not caller.queue.deferred


async def test_a_look_takes_its_token_from_the_lowest_lane(caller: Caller) -> None:
    caller.answers(KEPT_500)
    asks = []
    take = caller.limiter.take

    async def note(ask: Any) -> Any:
        asks.append(ask)
        return await take(ask)

    caller.limiter.take = note  # type: ignore[method-assign]
    assert await caller.receive(envelope())
    assert [(ask.operation, ask.lane) for ask in asks[1:]] == [
        ("list_payment_intent", RateLane.LOOK)
    ]


async def test_in_a_busy_account_a_look_reads_two_pages_and_no_more(caller: Caller) -> None:
    pages: list[Mapping[str, str]] = []

    def page(request: httpx.Request) -> httpx.Response:
        pages.append(dict(request.url.params))
        listed = [{"id": f"pi_{number}", "metadata": {}} for number in range(100)]
        return httpx.Response(200, text=json.dumps({"data": listed, "has_more": True}))

    transport = httpx.MockTransport(page)
    async with httpx.AsyncClient(base_url="https://stripe", transport=transport) as client:
        caller.lists = HttpStripeLists(client)  # type: ignore[assignment]
        caller.answers(KEPT_500)
        assert await caller.receive(envelope())
    assert caller.outcome.certainty is Certainty.UNKNOWN
    assert len(pages) == MOST_READS
    assert pages[0]["created[gte]"] == str(int(NOW_S))


async def test_sends_that_are_far_apart_are_searched_one_by_one(caller: Caller) -> None:
    caller.clock.advance(600)
    caller.lists.created = [{**MADE, "created": int(NOW_S) + 600}]
    caller.answers(KEPT_500)
    assert await caller.receive(envelope(progress=IN_DOUBT))
    assert isinstance(caller.outcome, Response)
    within = [look["within"] for look in caller.lists.looks]
    assert [(one.earliest - NOW_S, one.latest - NOW_S) for one in within] == [(0, 1), (600, 601)]


async def test_a_look_that_gets_no_answer_ends_with_its_time(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LONGEST_LOOK_S < 20  # the other requests of the batch wait for it
    monkeypatch.setattr("paydispatch.services.calls.look_first.LONGEST_LOOK_S", 0.01)
    caller.lists.find_created = lambda **_: asyncio.Event().wait()  # type: ignore[assignment]
    caller.answers(KEPT_500)
    assert await caller.receive(envelope())
    assert caller.outcome.certainty is Certainty.UNKNOWN


async def send_in_another_account(caller: Caller, asked: Envelope) -> None:
    """Send the request with a key of another account, and lose the answer."""
    claim = claim_of(asked, "local", NOW_S)
    other = bind_account(
        StripeKey(KEY + "Other"), "acct_2", stripe_account=None, stripe_context=None
    )
    await caller.requests.claim(claim)
    await caller.requests.send(claim, Send(token="t1", account=other, attempt=1))
    await caller.requests.end_send(claim, "t1", SendEnd.UNKNOWN)
    assert (await caller.requests.claim(claim)).in_doubt
    assert asked.secret_ref == SECRET_REF
