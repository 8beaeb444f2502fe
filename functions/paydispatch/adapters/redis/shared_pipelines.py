"""Send the commands of requests that wait at the same time in one pipeline: a round trip costs more than its commands.

A group is the commands of one request that go together, in their order. Groups share nothing but the round trip:

- An error of the server belongs to the group with the command.
- A connection that breaks leaves every command of its pipeline with an unknown result, so each group fails.
- A caller that is cancelled leaves the others alone. Its own commands are not sent if their pipeline has not begun.

A pipeline is no transaction. Commands of other clients may run between any two of its commands.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from redis.asyncio import RedisCluster
from redis.exceptions import DataError, RedisClusterException, RedisError

from paydispatch.adapters.redis.coalescer import Coalescer
from paydispatch.adapters.redis.connection import ANSWER_TIMEOUT_S, CLUSTER_RETRIES
from paydispatch.adapters.redis.scripts import Note, is_of_unknown_script, unavailable, with_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import Redis

    from paydispatch.adapters.redis.scripts import Command

AT_ONCE = 4
"""The pipelines that may be on their way at a time. With few, more commands share one. With one, all would wait for an
answer that is late."""

PAUSE_S = 0.25
"""The time before a cluster client reads its nodes again, as in redis-py's own pipelines."""

ERRORS = (RedisError, RedisClusterException, OSError)
"""The errors of a pipeline. A `RedisClusterException` is no `RedisError`, but a `TimeoutError` is an `OSError`."""

UNSENDABLE = (DataError, TypeError, ValueError)
"""The errors of an argument that has no bytes, for instance half a surrogate pair. Its pipeline is not sent."""


class _Group:
    """The commands of one request, and the answers to those that have run."""

    def __init__(self, commands: Sequence[Command]) -> None:
        self.until_s = time.monotonic() + ANSWER_TIMEOUT_S
        self.commands = commands
        self.answers: list[Any] = []

    def cut(self, is_to_repeat: Callable[[Any], bool]) -> bool:
        """Drop the answers from the first one that makes its command repeat. Return whether there is such an answer."""
        for place, answer in enumerate(self.answers):
            if isinstance(answer, Exception) and is_to_repeat(answer):
                del self.answers[place:]
                return True
        return False

    @property
    def rest(self) -> Sequence[Command]:
        """The commands without an answer."""
        return self.commands[len(self.answers) :]


class SharedPipelines:
    """The pipelines of one client for one event loop. All adapters of a program share them."""

    def __init__(self, redis: Redis, *, at_once: int = AT_ONCE) -> None:
        self._redis: Any = redis
        self._coalescer: Coalescer[_Group, None] = Coalescer(self._answer, at_once=at_once)
        # redis-py's cluster client notices a failover only when a command is tried again.
        self._retries = CLUSTER_RETRIES if issubclass(type(redis), RedisCluster) else 0

    async def run(self, *commands: Command) -> list[Any]:
        """Run the commands in order, and return their answers. Raises `Unavailable`, after `ANSWER_TIMEOUT_S` at most.

        Every command must be one that may run twice. If the server does not know the script of one, this command and
        those after it run once more.
        """
        group = _Group(commands)
        await self._coalescer.ask("", group)
        for answer in group.answers:
            if isinstance(answer, ERRORS):
                raise unavailable(answer) from answer
            if isinstance(answer, Exception):
                raise answer
        return group.answers

    async def _answer(self, _key: str, groups: Sequence[_Group]) -> Sequence[None]:
        until_s = min(group.until_s for group in groups)
        await self._run_rest(groups, until_s)
        for _ in range(self._retries):
            if lost := [group for group in groups if group.cut(_is_of_lost_node)]:
                await self._forget_nodes()
                await self._run_rest(lost, until_s)
        if new := [group for group in groups if group.cut(is_of_unknown_script)]:
            await self._run_rest(new, until_s, with_texts=True)
        return [None] * len(groups)

    async def _run_rest(
        self, groups: Sequence[_Group], until_s: float, *, with_texts: bool = False
    ) -> None:
        """Run the commands without an answer in one pipeline. An error of the pipeline is the answer to all of it.

        If an argument cannot be sent, each group goes alone, so that the argument fails only its own.
        """
        commands, places = _join(groups)
        if with_texts:
            commands = [with_text(command) for command in commands]
        answers = await self._run_pipeline(commands, until_s)
        if len(groups) > 1 and any(isinstance(answer, UNSENDABLE) for answer in answers):
            for group in groups:
                await self._run_rest([group], until_s, with_texts=with_texts)
            return
        for group, its_places in zip(groups, places, strict=True):
            group.answers += [answers[place] for place in its_places]

    async def _run_pipeline(self, commands: Sequence[Command], until_s: float) -> list[Any]:
        try:
            async with (
                asyncio.timeout(until_s - time.monotonic()),
                self._redis.pipeline(transaction=False) as pipe,
            ):
                for command in commands:
                    pipe.execute_command(*command)
                answers: list[Any] = await pipe.execute(raise_on_error=False)
                return answers
        except (*ERRORS, *UNSENDABLE) as error:
            return [error] * len(commands)

    async def _forget_nodes(self) -> None:
        """Let the cluster client read its nodes again."""
        await self._redis.aclose()
        await asyncio.sleep(PAUSE_S)


def _join(groups: Sequence[_Group]) -> tuple[list[Command], list[list[int]]]:
    """Return the commands of one pipeline, and for each group the places of its answers. Equal notes share a place."""
    commands: list[Command] = []
    notes: dict[Command, int] = {}
    places: list[list[int]] = []
    for group in groups:
        its_places = []
        for command in group.rest:
            place = len(commands)
            if isinstance(command, Note):
                place = notes.setdefault(command, place)
            if place == len(commands):
                commands.append(command)
            its_places.append(place)
        places.append(its_places)
    return commands, places


def _is_of_lost_node(error: Exception) -> bool:
    return isinstance(error, RedisCluster.ERRORS_ALLOW_RETRY)
