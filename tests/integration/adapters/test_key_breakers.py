"""The breakers of Stripe keys, on Redis and in their twin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from paydispatch.domain.rates.tokens import Postponed, Why

if TYPE_CHECKING:
    from tests.integration.adapters.limit_worlds import LimitWorld

KEY, OTHER_KEY = "a" * 64, "b" * 64


async def waits_s(world: LimitWorld, operation: str = "create_product", key: str = KEY) -> float:
    """Return the delay of a call. 0: it may go."""
    answer = await world.keys.check(key, operation)
    assert answer is None or answer.why is Why.KEY_REFUSED
    return answer.delay_s if answer else 0.0


async def test_a_key_without_a_refusal_may_be_used(limits: LimitWorld) -> None:
    assert await waits_s(limits) == 0.0


async def test_a_refused_key_is_not_used_by_any_operation(limits: LimitWorld) -> None:
    assert await limits.keys.open(KEY, None) is True

    assert await waits_s(limits) == pytest.approx(1.0)
    assert await waits_s(limits, "create_price") == pytest.approx(1.0)
    assert await waits_s(limits, key=OTHER_KEY) == 0.0


async def test_a_key_that_may_not_run_an_operation_is_used_by_others(limits: LimitWorld) -> None:
    await limits.keys.open(KEY, "create_product")

    assert await waits_s(limits) == pytest.approx(1.0)
    assert await waits_s(limits, "create_price") == 0.0


async def test_a_single_probe_goes_when_its_time_comes(limits: LimitWorld) -> None:
    await limits.keys.open(KEY, None)
    limits.clock.advance(1.0)
    answers = await asyncio.gather(*(limits.keys.check(KEY, "create_product") for _ in range(3)))

    assert [isinstance(answer, Postponed) for answer in answers] == [False, True, True]


async def test_refused_probes_come_at_growing_intervals(limits: LimitWorld) -> None:
    await limits.keys.open(KEY, None)
    delays = []
    for _ in range(12):
        delays.append(round(await waits_s(limits)))
        limits.clock.advance(delays[-1])
        assert await waits_s(limits) == 0.0
        assert await limits.keys.open(KEY, None) is False

    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


async def test_the_calls_that_are_refused_together_open_the_breaker_once(
    limits: LimitWorld,
) -> None:
    opened = [await limits.keys.open(KEY, None) for _ in range(10)]

    assert opened == [True] + [False] * 9
    assert await waits_s(limits) == pytest.approx(1.0)


async def test_a_probe_without_an_end_is_followed_by_another(limits: LimitWorld) -> None:
    await limits.keys.open(KEY, None)
    limits.clock.advance(1.0)
    assert await waits_s(limits) == 0.0
    limits.clock.advance(1.0)

    assert await waits_s(limits) == 0.0


async def test_a_probe_that_stripe_takes_closes_the_breakers_of_its_operation(
    limits: LimitWorld,
) -> None:
    for operation in (None, "create_product", "create_price"):
        await limits.keys.open(KEY, operation)
    limits.clock.advance(1.0)
    assert await waits_s(limits) == 0.0
    await limits.keys.close(KEY, "create_product")

    assert await waits_s(limits) == 0.0
    assert await waits_s(limits, "create_price") == 0.0
    assert await waits_s(limits, "create_price") == pytest.approx(1.0)


async def test_an_operator_sees_and_closes_the_breakers_of_a_key(limits: LimitWorld) -> None:
    now_s = limits.clock.now_s()
    await limits.keys.open(KEY, None)
    await limits.keys.open(OTHER_KEY, "create_price")
    shown = [
        (view.key_sha256, view.operation, view.since_s, view.next_probe_at, view.refusals)
        for view in await limits.board.key_breakers()
    ]
    assert shown == [
        (KEY, None, now_s, now_s + 1.0, 0),
        (OTHER_KEY, "create_price", now_s, now_s + 1.0, 0),
    ]
    await limits.board.close_key_breaker(KEY)

    assert [view.key_sha256 for view in await limits.board.key_breakers()] == [OTHER_KEY]
    assert await waits_s(limits) == 0.0
