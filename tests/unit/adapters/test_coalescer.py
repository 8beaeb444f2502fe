"""Round trips are shared: what is asked together goes in one command, and no key waits for another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from paydispatch.adapters.redis.coalescer import LARGEST_BATCH, Coalescer
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence


class Server:
    """Doubles each number. It answers a key when the test lets it."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, list[int]]] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.begun = asyncio.Event()
        self.coalescer: Coalescer[int, int] = Coalescer(self.run)

    async def run(self, key: str, items: Sequence[int]) -> list[int]:
        self.commands.append((key, list(items)))
        self.begun.set()
        if key in self.gates:
            await self.gates[key].wait()
        if -1 in items:
            raise Unavailable("away")
        return [2 * item for item in items]


@pytest.fixture
def server() -> Server:
    return Server()


async def test_all_that_is_asked_in_one_turn_goes_in_one_command(server: Server) -> None:
    answers = await asyncio.gather(*(server.coalescer.ask("a", n) for n in range(5)))

    assert answers == [0, 2, 4, 6, 8]
    assert server.commands == [("a", [0, 1, 2, 3, 4])]


async def test_all_that_is_asked_during_a_command_goes_in_the_next(server: Server) -> None:
    gate = server.gates["a"] = asyncio.Event()
    first = asyncio.create_task(server.coalescer.ask("a", 1))
    await server.begun.wait()
    later = [asyncio.create_task(server.coalescer.ask("a", number)) for number in (2, 3)]
    await asyncio.sleep(0)
    gate.set()

    assert await asyncio.gather(first, *later) == [2, 4, 6]
    assert server.commands == [("a", [1]), ("a", [2, 3])]


async def test_no_key_waits_for_another(server: Server) -> None:
    gate = server.gates["a"] = asyncio.Event()
    waiting = asyncio.create_task(server.coalescer.ask("a", 1))

    assert await server.coalescer.ask("b", 5) == 10
    gate.set()
    assert await waiting == 2


async def test_a_command_takes_a_bounded_number(server: Server) -> None:
    await asyncio.gather(*(server.coalescer.ask("a", n) for n in range(LARGEST_BATCH + 1)))

    assert [len(items) for _, items in server.commands] == [LARGEST_BATCH, 1]


async def test_everyone_who_waits_gets_the_error_and_the_next_ones_do_not(server: Server) -> None:
    answers = await asyncio.gather(
        *(server.coalescer.ask("a", number) for number in (1, -1)), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert await server.coalescer.ask("a", 4) == 8


async def test_a_caller_that_is_cancelled_takes_nobody_along(server: Server) -> None:
    gate = server.gates["a"] = asyncio.Event()
    first, second = (asyncio.create_task(server.coalescer.ask("a", n)) for n in (1, 2))
    await server.begun.wait()
    first.cancel()
    gate.set()

    assert await second == 4
    assert first.cancelled() or first.cancelling()
