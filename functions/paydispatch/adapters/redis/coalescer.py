"""Share round trips: all questions under one key go in one command, while the command before it is on its way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Item = TypeVar("Item")
Answer = TypeVar("Answer")

LARGEST_BATCH = 100
"""One command holds Redis for about a millisecond at most."""


@dataclass(slots=True)
class _Line(Generic[Item, Answer]):
    """The items that wait under one key, and the number of runs that serve it."""

    waiting: list[tuple[Item, asyncio.Future[Answer]]] = field(default_factory=list)
    runs: int = 0


class Coalescer(Generic[Item, Answer]):
    """Runs `run(key, items)` for all that was asked under a key in one turn of the event loop, or during the last run.

    `run` returns the answers in order. At most `at_once` runs of a key go on at a time. No key waits for another.
    """

    def __init__(
        self,
        run: Callable[[str, Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        at_once: int = 1,
    ) -> None:
        self._run = run
        self._at_once = at_once
        self._lines: dict[str, _Line[Item, Answer]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: str, item: Item) -> Answer:
        """Return the answer to `item`. A caller that is cancelled before the run has begun is left out of it."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = _Line()
        line.waiting.append((item, future))
        if len(line.waiting) == 1:  # for the others a run is about to begin, or all are busy
            self._begin_run(key, line)
        return await future

    def _begin_run(self, key: str, line: _Line[Item, Answer]) -> None:
        if line.runs >= self._at_once:
            return
        line.runs += 1
        task = asyncio.get_running_loop().create_task(self._serve(key, line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, key: str, line: _Line[Item, Answer]) -> None:
        """Run until nothing waits under the key."""
        try:
            while batch := self._take(key, line):
                await self._answer(key, batch)
        finally:
            line.runs -= 1
            if not line.runs and not line.waiting:
                self._lines.pop(key, None)

    def _take(
        self, key: str, line: _Line[Item, Answer]
    ) -> list[tuple[Item, asyncio.Future[Answer]]]:
        """Take the next batch off the line. The rest goes into another run at once, if one may begin."""
        line.waiting = [asked for asked in line.waiting if not asked[1].done()]
        batch = line.waiting[:LARGEST_BATCH]
        del line.waiting[:LARGEST_BATCH]
        if line.waiting:
            self._begin_run(key, line)
        return batch

    async def _answer(self, key: str, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._run(key, [item for item, _ in batch])
        except Exception as error:  # all callers of the batch get it
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():  # its caller was cancelled
                future.set_result(answer)
