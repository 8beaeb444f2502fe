"""The Lua scripts beside this file, by name, and the one place where Redis' errors become ours."""

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

_FOLDER = Path(__file__).parent / "lua"


@cache
def script(name: str) -> str:
    """The text of `lua/<name>.lua`. Sent whole with EVAL: a kilobyte less on the wire is not worth a NOSCRIPT path."""
    return (_FOLDER / f"{name}.lua").read_text("utf-8")


@contextmanager
def unavailable_for_redis_errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, RedisClusterException, OSError) as error:  # the second is no RedisError
        raise Unavailable(f"Redis: {type(error).__name__}: {error}") from error


@asynccontextmanager
async def answered_in_time() -> AsyncIterator[None]:
    """The same, and bounded as a whole: a cluster client that lost its nodes lets its callers wait in a queue."""
    with unavailable_for_redis_errors():
        async with asyncio.timeout(ANSWER_TIMEOUT_S):  # its TimeoutError is an OSError
            yield
