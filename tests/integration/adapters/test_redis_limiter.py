"""The limiter on Redis alone: its round trips, the clock of Redis, its keys, and a loss of its state."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from tests.integration.adapters.limit_worlds import ACCOUNT, OTHER, token_ask

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.rates.key_breakers import RedisKeyBreakers
from paydispatch.adapters.redis.rates.limit_board import RedisLimitBoard
from paydispatch.adapters.redis.rates.limiter import RedisLimiter
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.limits import NO_LIMITS, DefaultLimits
from paydispatch.domain.rates.tokens import Granted, Postponed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis import Redis

    class ValkeyServer(Protocol):
        url: str

        def admin(self) -> Redis: ...


@pytest.fixture
def admin(valkey: ValkeyServer) -> Any:
    with valkey.admin() as admin:
        yield admin


@pytest.fixture
async def redis(valkey: ValkeyServer) -> AsyncIterator[Any]:
    client = connect_async(valkey.url)
    yield client
    await client.aclose()


def scripts_run(admin: Redis) -> int:
    """Return the number of script runs. The first run of a script is a failed EVALSHA and an EVAL."""
    stats: Any = admin.info("commandstats")
    by_hash, by_text = stats.get("cmdstat_evalsha", {}), stats.get("cmdstat_eval", {})
    runs = by_hash.get("calls", 0) - by_hash.get("failed_calls", 0) + by_text.get("calls", 0)
    return int(runs)


async def granted(limiter: RedisLimiter, **asked: Any) -> Granted:
    answer = await limiter.take(token_ask(**asked))
    assert isinstance(answer, Granted)
    return answer


async def test_the_calls_of_an_account_that_ask_together_share_one_round_trip(
    redis: Any, admin: Redis
) -> None:
    limiter = RedisLimiter(redis, DefaultLimits())
    await granted(limiter)
    before = scripts_run(admin)
    asks = [token_ask(f"create_{number % 3}") for number in range(30)]
    answers = await asyncio.gather(*(limiter.take(ask) for ask in asks))

    assert scripts_run(admin) - before == 1
    assert [answer.ask.operation for answer in answers if isinstance(answer, Granted)] == [
        ask.operation
        for ask, answer in zip(asks, answers, strict=True)
        if isinstance(answer, Granted)
    ]


async def test_a_success_costs_no_round_trip_unless_calls_had_failed(
    redis: Any, admin: Redis
) -> None:
    limiter = RedisLimiter(redis, DefaultLimits())
    first, second = await granted(limiter), await granted(limiter)
    before = scripts_run(admin)
    await limiter.report(first, Feedback.FINE)
    assert scripts_run(admin) == before
    await limiter.report(second, Feedback.FAILED)
    await limiter.report(await granted(limiter), Feedback.FINE)

    assert scripts_run(admin) - before == 3


async def test_the_limiter_counts_by_the_clock_of_redis(redis: Any, admin: Redis) -> None:
    """So the clocks of callers need not agree."""
    before = admin.time()
    call = await granted(RedisLimiter(redis, DefaultLimits()))
    after = admin.time()

    earliest, latest = (seconds * 1_000_000 + micros for seconds, micros in (before, after))
    assert earliest <= int(call.epoch) <= latest


async def test_the_state_expires_when_idle_and_settings_do_not(redis: Any, admin: Redis) -> None:
    board = RedisLimitBoard(redis, DefaultLimits())
    await granted(RedisLimiter(redis, DefaultLimits()))
    await board.set_limit(ACCOUNT, None, 50)
    await board.pause(OTHER, None, by="ops")
    await RedisKeyBreakers(redis).open("a" * 64, None)

    assert 3_500 < int(admin.ttl(keys.rate(ACCOUNT))) <= 3_600
    assert 3_500 < int(admin.ttl(keys.key_breaker("a" * 64))) <= 3_600
    assert admin.ttl(keys.rate_settings(ACCOUNT)) == -1
    assert admin.ttl(keys.rate_settings(OTHER)) == -1


async def test_tokens_of_a_state_that_redis_lost_count_no_more(redis: Any, admin: Redis) -> None:
    limiter = RedisLimiter(redis, DefaultLimits())
    waiting = await granted(limiter)
    assert await limiter.confirm(waiting)
    admin.flushall()

    assert not await limiter.confirm(waiting)
    again = await granted(limiter)
    assert again.epoch != waiting.epoch
    assert not await limiter.confirm(waiting)


async def test_a_report_after_a_loss_shrinks_nothing(redis: Any, admin: Redis) -> None:
    limiter = RedisLimiter(redis, DefaultLimits())
    call = await granted(limiter)
    admin.flushall()

    assert (await limiter.report(call, Feedback.OPERATION_RATE)).shrunk_to is None


async def test_an_idle_account_is_forgotten_unless_something_is_set(
    redis: Any, admin: Redis
) -> None:
    limiter, board = RedisLimiter(redis, DefaultLimits()), RedisLimitBoard(redis, DefaultLimits())
    await granted(limiter, account="live idle")
    await granted(limiter, account="live set")
    await board.set_limit("live set", None, 10)
    admin.zadd(keys.RATE_ACCOUNTS, {"live idle": 1_000.0})
    await granted(RedisLimiter(redis, DefaultLimits()))
    assert await board.accounts() == [ACCOUNT, "live set"]

    await granted(RedisLimiter(redis, DefaultLimits()), account="live set")
    assert admin.zscore(keys.RATE_ACCOUNTS, "live set") == float("inf")
    await board.reset("live set")
    assert 0 < float(str(admin.zscore(keys.RATE_ACCOUNTS, "live set"))) < float("inf")


async def test_a_pause_is_noticed_within_a_second_by_a_process_that_remembers_none(
    redis: Any, admin: Redis
) -> None:
    limiter = RedisLimiter(redis, NO_LIMITS, remember_pauses_s=0.05)
    await granted(limiter)
    await RedisLimitBoard(redis, DefaultLimits()).pause(None, RateLane.INTERACTIVE, by="ops")
    answer: Any = None
    while not isinstance(answer, Postponed):
        answer = await limiter.take(token_ask())

    assert answer.why == "paused"


async def test_a_process_remembers_for_a_while_that_a_key_has_no_open_breaker(
    redis: Any, admin: Redis
) -> None:
    breakers = RedisKeyBreakers(redis, remember_s=60.0)
    before = scripts_run(admin)
    for _ in range(5):
        assert await breakers.check("a" * 64, "create_product") is None
    await breakers.close("a" * 64, "create_product")

    assert scripts_run(admin) - before <= 1
    await breakers.open("a" * 64, None)
    assert isinstance(await breakers.check("a" * 64, "create_product"), Postponed)


async def test_without_redis_every_method_is_unavailable() -> None:
    client = connect_async("redis://127.0.0.1:1/0")
    limiter = RedisLimiter(client, DefaultLimits())
    call = Granted(ask=token_ask(), wait_s=0.5)

    for attempt in (
        limiter.take(token_ask()),
        limiter.confirm(call),
        limiter.report(call, Feedback.FAILED),
        RedisKeyBreakers(client).check("a", "create_product"),
        RedisKeyBreakers(client).open("a", None),
        RedisLimitBoard(client, DefaultLimits()).show(ACCOUNT),
    ):
        with pytest.raises(Unavailable):
            await attempt
    await client.aclose()
