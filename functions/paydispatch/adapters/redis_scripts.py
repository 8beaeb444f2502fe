"""The Lua scripts beside this file, by name, and the one place where Redis' errors become ours."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = Path(__file__).parent / "lua"


@cache
def script(name: str) -> str:
    """The text of `lua/<name>.lua`. Sent whole with EVAL: a kilobyte less on the wire is not worth a NOSCRIPT path."""
    return (_FOLDER / f"{name}.lua").read_text("utf-8")


@contextmanager
def unavailable_for_redis_errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(f"Redis: {type(error).__name__}: {error}") from error
