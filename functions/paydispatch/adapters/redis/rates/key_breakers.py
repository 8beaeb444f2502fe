"""`KeyBreakers` on Redis: a hash per key, which exists only while one of its breakers is open."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.coalescer import Coalescer
from paydispatch.adapters.redis.rates.commands import time_argument
from paydispatch.adapters.redis.scripts import call_script
from paydispatch.adapters.redis.shared_pipelines import SharedPipelines
from paydispatch.domain.rates.tokens import Postponed, Why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from paydispatch.adapters.redis.rates.commands import NowS

REMEMBER_S = 1.0
"""A process remembers for this time that no breaker of a key is open."""

FORGET_KEYS_S = 86_400
REMEMBERED_KEYS = 10_000


class RedisKeyBreakers:
    """Runs the scripts `check_key` and `open_key` of `lua/rates/`."""

    def __init__(
        self,
        redis: Redis,
        *,
        now_s: NowS = None,
        remember_s: float = REMEMBER_S,
        pipelines: SharedPipelines | None = None,
    ) -> None:
        self._pipelines = pipelines or SharedPipelines(redis)
        self._now_s = now_s
        self._remember_s = remember_s
        self._checks: Coalescer[str, Postponed | None] = Coalescer(self._check)
        self._closed_until: dict[str, float] = {}
        """By the hash of a key, in monotonic seconds."""
        self._open: set[str] = set()
        """The keys of which this process has seen an open breaker."""

    async def check(self, key_sha256: str, operation: str) -> Postponed | None:
        if time.monotonic() < self._closed_until.get(key_sha256, -1.0):
            return None
        return await self._checks.ask(key_sha256, operation)

    async def open(self, key_sha256: str, operation: str | None) -> bool:
        """Note the key in the index first, so that an operator finds every open breaker."""
        self._closed_until.pop(key_sha256, None)
        self._open.add(key_sha256)
        seen_s = time.time() if self._now_s is None else self._now_s()
        await self._pipelines.run(
            ("ZADD", keys.REFUSED_KEYS, seen_s, key_sha256),
            ("ZREMRANGEBYSCORE", keys.REFUSED_KEYS, "-inf", seen_s - FORGET_KEYS_S),
        )
        return bool(await self._run("open_key", key_sha256, operation or ""))

    async def close(self, key_sha256: str, operation: str) -> None:
        if key_sha256 not in self._open:
            return
        await self._pipelines.run(("HDEL", keys.key_breaker(key_sha256), "", operation))

    async def _check(self, key_sha256: str, operations: Sequence[str]) -> list[Postponed | None]:
        begun = time.monotonic()
        said = await self._run("check_key", key_sha256, *operations)
        if not said:
            self._remember_closed(key_sha256, begun + self._remember_s)
            return [None] * len(operations)
        self._open.add(key_sha256)
        return [
            Postponed(why=Why.KEY_REFUSED, delay_s=float(wait)) if wait else None for wait in said
        ]

    def _remember_closed(self, key_sha256: str, until: float) -> None:
        if len(self._closed_until) >= REMEMBERED_KEYS:
            self._closed_until.clear()
        self._closed_until[key_sha256] = until
        self._open.discard(key_sha256)

    async def _run(self, name: str, key_sha256: str, *arguments: Any) -> Any:
        names = [keys.key_breaker(key_sha256)]
        command = call_script(name, names, time_argument(self._now_s), *arguments)
        (answer,) = await self._pipelines.run(command)
        return answer
