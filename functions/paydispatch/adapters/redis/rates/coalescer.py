"""Share round trips: what is asked under one key goes in one command, while the command before it is on its way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Item = TypeVar("Item")
Answer = TypeVar("Answer")

LARGEST_BATCH = 100
"""One command holds Redis for about a millisecond at most."""


class Coalescer(Generic[Item, Answer]):
    """Runs `run(key, items)` for all that was asked under a key in one turn of the event loop, or during the last run.

    `run` returns the answers in order. No key waits for another.
    """

    def __init__(self, run: Callable[[str, Sequence[Item]], Awaitable[Sequence[Answer]]]) -> None:
        self._run = run
        self._waiting: dict[str, list[tuple[Item, asyncio.Future[Answer]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: str, item: Item) -> Answer:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = [(item, future)]
            task = loop.create_task(self._serve(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            waiting.append((item, future))
        return await future

    async def _serve(self, key: str) -> None:
        """Run until nothing waits under the key."""
        waiting = self._waiting[key]
        try:
            while waiting:
                batch = waiting[:LARGEST_BATCH]
                del waiting[:LARGEST_BATCH]
                await self._answer(key, batch)
        finally:
            del self._waiting[key]

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
