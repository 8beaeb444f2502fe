"""The Lua scripts of `lua/` by name, and the one place that turns Redis' errors into `Unavailable`."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError, RedisClusterException, RedisError

from paydispatch.adapters.redis.connection import ANSWER_TIMEOUT_S
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from redis import Redis

Command = tuple[Any, ...]
"""The words of a command. A script is called by its digest (`call_script`)."""


class Note(tuple[Any, ...]):
    """A command that notes something before it is written. A second one in the same pipeline would change nothing."""

    __slots__ = ()


_PATHS = {path.stem: path for path in (Path(__file__).parent / "lua").glob("*/*.lua")}

_ON_LIMITS = frozenset({"take", "report", "show", "reset", "close_breaker"})
"""The scripts that run behind the functions of `limits.lua`."""


@cache
def script(name: str) -> str:
    """Return the text of `lua/*/<name>.lua`, behind the functions that it uses."""
    text = _PATHS[name].read_text("utf-8")
    return script("limits") + text if name in _ON_LIMITS else text


@cache
def digest(name: str) -> str:
    """Return the hash of a script, by which Redis finds it. Redis would need longer to hash the text than to run it."""
    return hashlib.sha1(script(name).encode(), usedforsecurity=False).hexdigest()


def call_script(name: str, names: Sequence[str], *arguments: Any) -> Command:
    """Return the command that runs a script by its digest. `names` are the names of its keys."""
    return ("EVALSHA", digest(name), len(names), *names, *arguments)


def with_text(command: Command) -> Command:
    """Return a command with its script's text instead of the digest, so that the server learns the script."""
    if command[0] != "EVALSHA":
        return command
    return ("EVAL", _texts()[command[1]], *command[2:])


@cache
def _texts() -> dict[str, str]:
    """Return the texts of all scripts by their digests."""
    return {digest(name): script(name) for name in _PATHS}


def is_of_unknown_script(error: object) -> bool:
    return isinstance(error, NoScriptError)


def run_pipeline(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    """Run the commands in one pipeline of a client for threads. Each must be one that may run twice.

    If the server does not know the script of one, this command and those after it run once more.
    """
    answers = _run_once(redis, commands)
    unknown = next((at for at, answer in enumerate(answers) if is_of_unknown_script(answer)), None)
    if unknown is not None:
        answers[unknown:] = _run_once(redis, [with_text(command) for command in commands[unknown:]])
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _run_once(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    with redis.pipeline(transaction=False) as pipe:
        for command in commands:
            pipe.execute_command(*command)  # type: ignore[no-untyped-call]
        answers: list[Any] = pipe.execute(raise_on_error=False)
    return answers


def unavailable(error: BaseException) -> Unavailable:
    return Unavailable(f"Redis: {type(error).__name__}: {error}")


@contextmanager
def unavailable_for_redis_errors() -> Iterator[None]:
    try:
        yield
    except (
        RedisError,
        RedisClusterException,
        OSError,
    ) as error:  # a RedisClusterException is no RedisError
        raise unavailable(error) from error


@asynccontextmanager
async def within_answer_timeout() -> AsyncIterator[None]:
    """Raise `Unavailable` for Redis' errors, and after `ANSWER_TIMEOUT_S` in all.

    The sum is bounded because a cluster client that lost its nodes lets its callers wait in a queue.
    """
    with unavailable_for_redis_errors():
        async with asyncio.timeout(ANSWER_TIMEOUT_S):  # its TimeoutError is an OSError
            yield
