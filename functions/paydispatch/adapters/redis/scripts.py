"""The Lua scripts of `lua/` by name, and the one place that turns Redis' errors into `Unavailable`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from redis.exceptions import RedisClusterException, RedisError

from paydispatch.adapters.redis.connection import ANSWER_TIMEOUT_S
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_PATHS = {path.stem: path for path in (Path(__file__).parent / "lua").glob("*/*.lua")}


@cache
def script(name: str) -> str:
    """Return the text of `lua/*/<name>.lua`.

    Every EVAL sends it whole. EVALSHA would save a kilobyte, but it would need code for NOSCRIPT.
    """
    return _PATHS[name].read_text("utf-8")


@contextmanager
def unavailable_for_redis_errors() -> Iterator[None]:
    try:
        yield
    except (
        RedisError,
        RedisClusterException,
        OSError,
    ) as error:  # a RedisClusterException is no RedisError
        raise Unavailable(f"Redis: {type(error).__name__}: {error}") from error


@asynccontextmanager
async def within_answer_timeout() -> AsyncIterator[None]:
    """Raise `Unavailable` for Redis' errors, and after `ANSWER_TIMEOUT_S` in all.

    The sum is bounded because a cluster client that lost its nodes lets its callers wait in a queue.
    """
    with unavailable_for_redis_errors():
        async with asyncio.timeout(ANSWER_TIMEOUT_S):  # its TimeoutError is an OSError
            yield
