"""The limiter: tokens of both limits, lanes, feedback and outages, on Redis and in its twin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.integration.adapters.limit_worlds import ACCOUNT, OTHER, token_ask

from paydispatch.domain.rates.feedback import NO_CHANGE, Change, Feedback
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.outage import FAILURES_IN_A_ROW
from paydispatch.domain.rates.tokens import Granted, Postponed, Why

if TYPE_CHECKING:
    from tests.integration.adapters.limit_worlds import LimitWorld


async def take(world: LimitWorld, count: int = 1, **asked: Any) -> list[Granted | Postponed]:
    return await asyncio.gather(*(world.limiter.take(token_ask(**asked)) for _ in range(count)))


async def granted(world: LimitWorld, **asked: Any) -> Granted:
    answer = await world.limiter.take(token_ask(**asked))
    assert isinstance(answer, Granted), answer
    return answer


async def postponed(world: LimitWorld, **asked: Any) -> Postponed:
    answer = await world.limiter.take(token_ask(**asked))
    assert isinstance(answer, Postponed), answer
    return answer


def waits(answers: list[Granted | Postponed]) -> list[float]:
    return [round(answer.wait_s, 3) for answer in answers if isinstance(answer, Granted)]


async def let_calls_begin(world: LimitWorld) -> None:
    """Use the account, and let the time pass in which a new limiter gives half."""
    await take(world)
    world.clock.advance(10)


async def open_breaker(world: LimitWorld) -> list[Change]:
    await let_calls_begin(world)
    calls = [call for call in await take(world, 50) if isinstance(call, Granted)]
    failures = calls[:FAILURES_IN_A_ROW]
    return [await world.limiter.report(call, Feedback.FAILED) for call in failures]


async def test_a_second_holds_as_many_calls_as_the_limit(limits: LimitWorld) -> None:
    await let_calls_begin(limits)
    found = waits(await take(limits, 90))

    assert found == sorted(found)
    assert [len([w for w in found if int(w) == second]) for second in (0, 1)] == [25, 25]


async def test_operations_share_the_limit_of_their_account_and_accounts_share_none(
    limits: LimitWorld,
) -> None:
    await let_calls_begin(limits)
    operations = [f"create_{number}" for number in range(6)]
    found = [
        waits(await take(limits, 25, operation=name, longest_wait_s=0.95)) for name in operations
    ]

    assert sum(len(of_one) for of_one in found) == 100
    assert waits(await take(limits, account=OTHER)) == [0.0]


async def test_batch_work_and_looks_leave_a_fifth_to_interactive_work(limits: LimitWorld) -> None:
    await limits.board.set_limit(ACCOUNT, "create_product", 100)
    await let_calls_begin(limits)
    looks = waits(await take(limits, 90, lane=RateLane.LOOK, longest_wait_s=0.45))
    batch = waits(await take(limits, 90, lane=RateLane.BATCH, longest_wait_s=0.45))
    more = waits(await take(limits, 90, lane=RateLane.LOOK, longest_wait_s=0.45))
    interactive = waits(await take(limits, 90, longest_wait_s=0.45))

    assert [len(lane) for lane in (looks, batch, more, interactive)] == [25, 15, 0, 10]


async def test_a_new_limiter_gives_half_because_it_knows_of_no_calls_before(
    limits: LimitWorld,
) -> None:
    found = waits(await take(limits, 10))

    assert found == [0.0, 0.1, 0.2, 0.2, 0.3, 0.3, 0.3, 0.4, 0.4, 0.5]


async def test_a_wait_beyond_the_lane_reserves_nothing_and_spreads_the_calls(
    limits: LimitWorld,
) -> None:
    await let_calls_begin(limits)
    answers = await take(limits, 50, lane=RateLane.BATCH)
    delays = [answer.delay_s for answer in answers if isinstance(answer, Postponed)]

    assert max(waits(answers)) <= 1.0
    assert delays == pytest.approx([1.0 + turn / 20 for turn in range(1, len(delays) + 1)])
    assert len(waits(await take(limits, 3))) == 3


async def test_tokens_that_wait_are_confirmed_until_a_429_shrinks_the_limit(
    limits: LimitWorld,
) -> None:
    await let_calls_begin(limits)
    calls = [call for call in await take(limits, 30) if isinstance(call, Granted)]

    assert await limits.limiter.confirm(calls[20])
    assert await limits.limiter.report(calls[0], Feedback.OPERATION_RATE) == Change(shrunk_to=17)
    assert await limits.limiter.report(calls[1], Feedback.OPERATION_RATE) == NO_CHANGE
    assert not await limits.limiter.confirm(calls[20])


async def test_a_shrunk_limit_comes_back(limits: LimitWorld) -> None:
    await limits.limiter.report(await granted(limits), Feedback.ACCOUNT_RATE)
    rates = []
    for _ in range(4):
        rates.append((await limits.board.show(ACCOUNT)).limits[0].rate)
        limits.clock.advance(10)

    assert rates == [70, 85, 100, 100]


async def test_a_429_about_concurrency_caps_the_calls_in_flight(limits: LimitWorld) -> None:
    await let_calls_begin(limits)
    change = await limits.limiter.report(await granted(limits), Feedback.OPERATION_CONCURRENCY)
    assert change == Change(shrunk_to=17)
    answers = await take(limits, 30)
    calls = [call for call in answers if isinstance(call, Granted)]
    rest = [answer for answer in answers if isinstance(answer, Postponed)]

    assert len(calls) == 17
    assert {one.why for one in rest} == {Why.IN_FLIGHT}
    await limits.limiter.report(calls[0], Feedback.FINE)
    assert (await granted(limits)).in_flight


async def test_calls_in_flight_have_names_of_their_own(limits: LimitWorld) -> None:
    await limits.limiter.report(await granted(limits), Feedback.ACCOUNT_CONCURRENCY)
    lanes = (RateLane.INTERACTIVE, RateLane.BATCH)
    calls = [await granted(limits, operation=f"create_{n}", lane=lanes[n % 2]) for n in range(6)]
    more = await take(limits, 3, operation="create_price")

    names = [call.in_flight for call in (*calls, *more) if isinstance(call, Granted)]
    assert len(set(names)) == 9
    assert "" not in names


async def test_many_failures_in_a_row_open_the_breaker_once_and_a_probe_closes_it(
    limits: LimitWorld,
) -> None:
    changes = await open_breaker(limits)
    assert changes == [NO_CHANGE] * (FAILURES_IN_A_ROW - 1) + [Change(breaker_opened=True)]
    assert (await postponed(limits)).why is Why.OUTAGE
    limits.clock.advance(1.0)

    probe, *others = await take(limits, 3)
    assert isinstance(probe, Granted)
    assert [other.why for other in others if isinstance(other, Postponed)] == [Why.OUTAGE] * 2
    await limits.limiter.report(probe, Feedback.FINE)
    assert len(waits(await take(limits, 3))) == 3


async def test_a_probe_without_tokens_is_not_used_up(limits: LimitWorld) -> None:
    await open_breaker(limits)
    await limits.board.set_limit(ACCOUNT, "create_price", 1)
    limits.clock.advance(1.0)
    first, second = (
        await postponed(limits, operation="create_price", longest_wait_s=0.0),
        await granted(limits, operation="create_coupon"),
    )

    assert first.why is Why.RATE
    assert second.watched


async def test_an_operator_closes_the_breaker_of_an_account(limits: LimitWorld) -> None:
    await open_breaker(limits)
    assert (await limits.board.show(ACCOUNT)).breaker_open
    await limits.board.close_breaker(ACCOUNT)

    assert await granted(limits)
    assert not (await limits.board.show(ACCOUNT)).breaker_open


# Pauses and limits of operators


@pytest.mark.parametrize("account", [ACCOUNT, None], ids=["account", "all accounts"])
async def test_a_pause_stops_calls_and_those_that_wait_until_resume(
    limits: LimitWorld, account: str | None
) -> None:
    waiting = await granted(limits)
    await limits.board.pause(account, None, by="ops")

    assert await postponed(limits) == Postponed(why=Why.PAUSED, delay_s=60.0)
    assert not await limits.limiter.confirm(waiting)
    await limits.board.resume(account, None)
    assert await limits.limiter.confirm(waiting)
    assert await granted(limits)


@pytest.mark.parametrize("account", [ACCOUNT, None], ids=["account", "all accounts"])
async def test_a_pause_of_a_lane_stops_no_other_lane(
    limits: LimitWorld, account: str | None
) -> None:
    waiting = await granted(limits, lane=RateLane.BATCH)
    await limits.board.pause(account, RateLane.BATCH, by="ops")

    assert (await postponed(limits, lane=RateLane.BATCH)).why is Why.PAUSED
    assert not await limits.limiter.confirm(waiting)
    assert await limits.limiter.confirm(await granted(limits))


async def test_a_pause_of_an_account_stops_no_other_account(limits: LimitWorld) -> None:
    await limits.board.pause(ACCOUNT, None, by="ops")

    assert await granted(limits, account=OTHER)


async def test_the_board_shows_who_paused_and_when(limits: LimitWorld) -> None:
    now_s = limits.clock.now_s()
    await limits.board.pause(ACCOUNT, RateLane.BATCH, by="ann")
    await limits.board.pause(None, None, by="bob")
    limits.clock.advance(5)
    await limits.board.pause(ACCOUNT, RateLane.BATCH, by="someone later")

    (of_account,) = (await limits.board.show(ACCOUNT)).pauses
    (of_all,) = await limits.board.global_pauses()
    assert (of_account.lane, of_account.since_s, of_account.by) == (RateLane.BATCH, now_s, "ann")
    assert (of_all.lane, of_all.by) == (None, "bob")


async def test_limits_of_an_account_replace_the_defaults_until_they_are_reset(
    limits: LimitWorld,
) -> None:
    await limits.board.set_limit(ACCOUNT, "create_product", 5)
    await limits.board.set_limit(ACCOUNT, None, None)
    await let_calls_begin(limits)
    assert len(waits(await take(limits, 30, longest_wait_s=0.95))) == 5
    of_all, of_product = (await limits.board.show(ACCOUNT)).limits
    assert (of_all.configured, of_all.rate, of_all.overridden) == (None, None, True)
    assert (of_product.operation, of_product.rate) == ("create_product", 5)

    await limits.board.reset(ACCOUNT)
    limits.clock.advance(10)
    assert len(waits(await take(limits, 30, longest_wait_s=0.95))) == 25


async def test_the_board_lists_accounts_that_were_called_or_set(limits: LimitWorld) -> None:
    await granted(limits, account=OTHER)
    await limits.board.pause(ACCOUNT, None, by="ops")

    assert await limits.board.accounts() == sorted([ACCOUNT, OTHER])


async def test_the_board_shows_the_calls_that_wait_and_those_that_were_deferred(
    limits: LimitWorld,
) -> None:
    await let_calls_begin(limits)
    answers = await take(limits, 100)
    (of_all, _) = (await limits.board.show(ACCOUNT)).limits
    last = [answer.delay_s for answer in answers if isinstance(answer, Postponed)][-1]

    assert of_all.reserved == len(waits(answers)) - 2
    of_operation = (await limits.board.show(ACCOUNT)).limits[1]
    assert of_operation.deferred_until == pytest.approx(limits.clock.now_s() + last, abs=1e-4)
