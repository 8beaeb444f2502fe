"""Drive random asks, confirms, reports and operators' changes on the limiter of Redis and its twin, at the same times.

Every answer must be the same: so the Lua scripts and `domain/rates/` have the same rules.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.integration.adapters.limit_worlds import (
    ACCOUNT,
    OTHER,
    LimitWorld,
    memory_limit_world,
    redis_limit_world,
    token_ask,
)

from paydispatch.domain.rates.feedback import Change, Feedback
from paydispatch.domain.rates.lanes import LANES, LaneRule, RateLane
from paydispatch.domain.rates.limits import DefaultLimits, Limits
from paydispatch.domain.rates.tokens import Granted, Postponed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis import Redis

    class ValkeyServer(Protocol):
        url: str

        def admin(self) -> Redis: ...

    Step = Callable[[LimitWorld, list[Granted]], Awaitable[Any]]

OPERATIONS = st.sampled_from(["create_product", "create_price"])
LANE = st.sampled_from(RateLane)
RATES = st.one_of(st.none(), st.integers(1, 40), st.sampled_from([100, 1_000]))
RULES = {**LANES, RateLane.LOOK: LaneRule(share=0.3, longest_wait_s=4.0)}


async def take(world: LimitWorld, held: list[Granted], *, asks: list[dict[str, Any]]) -> Any:
    """Take in one turn of the event loop. Redis answers equal asks together, so they stand together here."""
    grouped = sorted(asks, key=lambda ask: (ask["operation"], ask["lane"], ask["weight"]))
    answers = await asyncio.gather(*(world.limiter.take(token_ask(**ask)) for ask in grouped))
    held.extend(answer for answer in answers if isinstance(answer, Granted))
    return [comparable(answer) for answer in answers]


def comparable(answer: Granted | Postponed) -> Any:
    """Return an answer without the name of the call in flight, which each limiter makes up."""
    if isinstance(answer, Postponed):
        return (answer.why, pytest.approx(answer.delay_s, abs=2e-6))
    wait_s = pytest.approx(answer.wait_s, abs=2e-6)
    return (answer.ask, wait_s, answer.epoch, bool(answer.in_flight), answer.watched)


async def confirm(world: LimitWorld, held: list[Granted], *, place: int) -> Any:
    return await world.limiter.confirm(held[place % len(held)]) if held else None


async def report(
    world: LimitWorld, held: list[Granted], *, place: int, calls: int, feedback: Feedback
) -> list[Change]:
    return [
        await world.limiter.report(held.pop(place % len(held)), feedback)
        for _ in range(min(calls, len(held)))
    ]


async def pass_time(world: LimitWorld, held: list[Granted], *, seconds: float) -> None:
    world.clock.advance(seconds)


async def operate(world: LimitWorld, held: list[Granted], *, change: Any) -> None:
    await change(world)


async def show(world: LimitWorld, held: list[Granted]) -> Any:
    view = await world.board.show(ACCOUNT)
    limits = [
        replace(limit, deferred_until=None)
        for limit in view.limits
        if limit.overridden or limit.operation is None or limit.rate != limit.configured
    ]
    return (limits, list(view.pauses), view.failures_in_a_row, view.breaker_open)


ASK = st.fixed_dictionaries(
    {
        "operation": OPERATIONS,
        "lane": LANE,
        "weight": st.sampled_from([1, 1, 1, 1, 2, 7]),
        "longest_wait_s": st.just(20.0),
    }
)
LONGEST = st.sampled_from([20.0, 20.0, 0.25, 0.0, 1.7])


def with_one_wait(asks: list[dict[str, Any]], longest_s: float) -> list[dict[str, Any]]:
    return [{**ask, "longest_wait_s": longest_s} for ask in asks]


CHANGES = st.one_of(
    st.builds(
        lambda name, rate: lambda world: world.board.set_limit(ACCOUNT, name, rate),
        st.one_of(st.none(), OPERATIONS),
        RATES,
    ),
    st.just(lambda world: world.board.reset(ACCOUNT)),
    st.just(lambda world: world.board.close_breaker(ACCOUNT)),
    st.builds(
        lambda account, lane: lambda world: world.board.pause(account, lane, by="me"),
        st.sampled_from([ACCOUNT, OTHER, None]),
        st.one_of(st.none(), LANE),
    ),
    st.builds(
        lambda account, lane: lambda world: world.board.resume(account, lane),
        st.sampled_from([ACCOUNT, None]),
        st.one_of(st.none(), LANE),
    ),
)
TAKE = st.builds(
    lambda asks, longest_s: partial(take, asks=with_one_wait(asks, longest_s)),
    st.lists(ASK, min_size=1, max_size=25),
    LONGEST,
)
MANY = st.builds(lambda ask, count: partial(take, asks=[ask] * count), ASK, st.integers(20, 90))
TIME = st.builds(
    lambda seconds: partial(pass_time, seconds=seconds),
    st.sampled_from([0.013, 0.05, 0.1, 0.37, 1.0, 3.3, 31.0, 140.0]),
)
REPORT = st.builds(
    lambda place, calls, feedback: partial(report, place=place, calls=calls, feedback=feedback),
    st.integers(0, 99),
    st.sampled_from([1, 1, 2, 25]),
    st.sampled_from(Feedback),
)
CONFIRM = st.builds(lambda place: partial(confirm, place=place), st.integers(0, 99))
OPERATE = st.builds(lambda change: partial(operate, change=change), CHANGES)
STEPS = st.lists(
    st.one_of(TAKE, MANY, TAKE, TIME, REPORT, CONFIRM, OPERATE, st.just(show)), max_size=30
)


@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(account=RATES, operation=RATES, steps=STEPS)
def test_redis_and_the_twin_give_the_same_answers(
    valkey: ValkeyServer, account: int | None, operation: int | None, steps: list[Step]
) -> None:
    with valkey.admin() as admin:
        admin.flushall()
    limits = Limits(account=account, operation=operation)
    asyncio.run(compare(valkey.url, DefaultLimits(live=limits), steps))


async def compare(url: str, defaults: DefaultLimits, steps: list[Step]) -> None:
    twin = memory_limit_world(defaults, RULES)
    async with redis_limit_world(url, defaults, RULES) as redis:
        of_twin: list[Granted] = []
        of_redis: list[Granted] = []
        begin = partial(
            take, asks=[{"operation": "create_product", "lane": RateLane.LOOK, "weight": 1}]
        )
        for step in (begin, *steps):
            expected = await step(twin, of_twin)
            assert await step(redis, of_redis) == expected
