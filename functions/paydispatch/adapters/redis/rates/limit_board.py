"""`LimitBoard` on Redis: the limits and pauses that operators set, and the state of limits and breakers."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.rates.commands import (
    account_keys,
    first_arguments,
)
from paydispatch.adapters.redis.scripts import call_script, within_answer_timeout
from paydispatch.adapters.redis.shared_pipelines import SharedPipelines
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.views import AccountView, KeyBreakerView, LimitView, Pause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.adapters.redis.rates.commands import NowS
    from paydispatch.domain.rates.limits import DefaultLimits

KEPT = "inf"
"""The score of an account with limits or pauses of its own, so that it is not forgotten."""


class RedisLimitBoard:
    def __init__(self, redis: Redis, defaults: DefaultLimits, *, now_s: NowS = None) -> None:
        self._redis = redis
        self._pipelines = SharedPipelines(redis)
        self._defaults = defaults
        self._now_s = now_s

    async def accounts(self) -> Sequence[str]:
        async with within_answer_timeout():
            found = await self._redis.zrange(keys.RATE_ACCOUNTS, 0, -1)
        return sorted(str(account) for account in found)

    async def show(self, account: str) -> AccountView:
        said = json.loads(await self._run("show", account))
        next_probe_at = float(said["next_probe"])
        limits = [_limit_view(one) for one in said["limits"]]
        return AccountView(
            account=account,
            limits=sorted(limits, key=lambda one: one.operation or ""),
            pauses=_pauses(said["pauses"] or {}),
            failures_in_a_row=said["failures"],
            next_probe_at=next_probe_at or None,
        )

    async def set_limit(self, account: str, operation: str | None, rate: int | None) -> None:
        value = "off" if rate is None else rate
        await self._keep(account)
        async with within_answer_timeout():
            await self._redis.hset(
                keys.rate_settings(account), f"rate:{operation or ''}", str(value)
            )

    async def reset(self, account: str) -> None:
        if not await self._run("reset", account):
            await self._let_expire(account)

    async def pause(self, account: str | None, lane: RateLane | None, *, by: str) -> None:
        if account is not None:
            await self._keep(account)
        text = json.dumps({"since": self._read_clock_s(), "by": by})
        async with within_answer_timeout():
            await self._redis.hsetnx(_pause_key(account), _pause_field(lane), text)

    async def resume(self, account: str | None, lane: RateLane | None) -> None:
        lanes = [lane] if lane else [None, *RateLane]
        async with within_answer_timeout():
            await self._redis.hdel(_pause_key(account), *(_pause_field(one) for one in lanes))
            empty = account is not None and not await self._redis.exists(
                keys.rate_settings(account)
            )
        if account is not None and empty:
            await self._let_expire(account)

    async def global_pauses(self) -> Sequence[Pause]:
        async with within_answer_timeout():
            fields = await self._redis.hgetall(keys.PAUSED)
        return _pauses(
            {str(name).removeprefix("pause:"): str(text) for name, text in fields.items()}
        )

    async def close_breaker(self, account: str) -> None:
        await self._run("close_breaker", account)

    async def key_breakers(self) -> Sequence[KeyBreakerView]:
        async with within_answer_timeout():
            hashes = sorted(str(one) for one in await self._redis.zrange(keys.REFUSED_KEYS, 0, -1))
            async with self._redis.pipeline(transaction=False) as pipe:
                for key_sha256 in hashes:
                    pipe.hgetall(keys.key_breaker(key_sha256))
                found = await pipe.execute() if hashes else []
        return [
            _key_view(key_sha256, operation, text)
            for key_sha256, breakers in zip(hashes, found, strict=True)
            for operation, text in sorted(breakers.items())
        ]

    async def close_key_breaker(self, key_sha256: str) -> None:
        async with within_answer_timeout():
            await self._redis.delete(keys.key_breaker(key_sha256))
            await self._redis.zrem(keys.REFUSED_KEYS, key_sha256)

    async def _keep(self, account: str) -> None:
        async with within_answer_timeout():
            await self._redis.zadd(keys.RATE_ACCOUNTS, {account: KEPT})

    async def _let_expire(self, account: str) -> None:
        """Let the list of accounts forget the account, unless it is called."""
        now_s = self._read_clock_s()
        async with within_answer_timeout():
            await self._redis.zadd(keys.RATE_ACCOUNTS, {account: now_s})

    def _read_clock_s(self) -> float:
        return time.time() if self._now_s is None else self._now_s()

    async def _run(self, name: str, account: str) -> Any:
        arguments = first_arguments(account, self._defaults, self._now_s)
        (answer,) = await self._pipelines.run(call_script(name, account_keys(account), *arguments))
        return answer


def _limit_view(said: Mapping[str, Any]) -> LimitView:
    later = said.get("later")
    return LimitView(
        operation=said["operation"] or None,
        configured=said.get("configured"),
        overridden=said["overridden"],
        rate=said.get("rate"),
        cap_in_flight=said.get("cap"),
        in_flight=said["in_flight"],
        reserved=said["reserved"],
        deferred_until=None if later is None else float(later),
    )


def _pauses(texts: Mapping[str, str]) -> list[Pause]:
    read = {name: json.loads(text) for name, text in texts.items()}
    return [
        Pause(
            lane=None if name == "all" else RateLane(name), since_s=pause["since"], by=pause["by"]
        )
        for name, pause in sorted(read.items())
    ]


def _key_view(key_sha256: str, operation: str, text: str) -> KeyBreakerView:
    since_s, next_probe_at, refusals, _ = text.split(" ")
    return KeyBreakerView(
        key_sha256=key_sha256,
        operation=operation or None,
        since_s=float(since_s),
        next_probe_at=float(next_probe_at),
        refusals=int(refusals),
    )


def _pause_key(account: str | None) -> str:
    return keys.PAUSED if account is None else keys.rate_settings(account)


def _pause_field(lane: RateLane | None) -> str:
    return f"pause:{lane.value if lane else 'all'}"
