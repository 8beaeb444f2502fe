"""Requests share round trips and nothing else: no error, no cancellation and no wait of one reaches another."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from paydispatch.adapters.redis import shared_pipelines
from paydispatch.adapters.redis.coalescer import LARGEST_BATCH
from paydispatch.adapters.redis.scripts import Note, call_script, digest, script
from paydispatch.adapters.redis.shared_pipelines import AT_ONCE, SharedPipelines
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.adapters.redis.scripts import Command


@dataclass
class Server:
    """A client whose server answers each command with its last word. The word `BAD` is an error."""

    pipelines: list[list[Command]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    gate: asyncio.Event | None = None
    breaks: bool = False
    under_way: int = 0
    most_under_way: int = 0

    def pipeline(self, *, transaction: bool) -> Pipeline:
        assert not transaction
        return Pipeline(self)

    def answer(self, command: Command) -> Any:
        if command[0] == "EVAL":
            self.known.add(command[1])
        elif command[0] == "EVALSHA" and script("end_send") not in self.known:
            return NoScriptError("NOSCRIPT")
        return ResponseError("WRONGTYPE") if command[-1] == "BAD" else command[-1]


@dataclass
class Pipeline:
    server: Server
    commands: list[Command] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None: ...

    def execute_command(self, *words: Any) -> None:
        self.commands.append(words)

    async def execute(self, *, raise_on_error: bool) -> list[Any]:
        assert not raise_on_error
        server = self.server
        server.pipelines.append(self.commands)
        server.under_way += 1
        server.most_under_way = max(server.most_under_way, server.under_way)
        try:
            await asyncio.sleep(0)
            if server.gate is not None:
                await server.gate.wait()
            if server.breaks:
                raise RedisConnectionError("broken pipe")
            return [server.answer(command) for command in self.commands]
        finally:
            server.under_way -= 1


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def pipelines(server: Server) -> SharedPipelines:
    client: Any = server
    return SharedPipelines(client)


def asks(pipelines: SharedPipelines, *groups: list[Command]) -> list[asyncio.Task[list[Any]]]:
    return [asyncio.create_task(pipelines.run(*group)) for group in groups]


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110, because no event tells it
        await asyncio.sleep(0)


async def test_requests_of_one_turn_of_the_loop_share_one_round_trip(
    pipelines: SharedPipelines, server: Server
) -> None:
    answers = await asyncio.gather(
        *asks(pipelines, [("GET", "a"), ("GET", "b")], [("GET", "c")], [("GET", "d")])
    )

    assert answers == [["a", "b"], ["c"], ["d"]]
    assert server.pipelines == [[("GET", "a"), ("GET", "b"), ("GET", "c"), ("GET", "d")]]


async def test_equal_notes_of_a_round_trip_are_made_once_and_before_every_write(
    pipelines: SharedPipelines, server: Server
) -> None:
    note, other = Note(("ZADD", "looks", "w1")), Note(("ZADD", "looks", "w2"))

    answers = await asyncio.gather(
        *asks(pipelines, [note, ("SET", "1")], [note, ("SET", "2")], [other, note, ("SET", "3")])
    )

    assert answers == [["w1", "1"], ["w1", "2"], ["w2", "w1", "3"]]
    assert server.pipelines == [[note, ("SET", "1"), ("SET", "2"), other, ("SET", "3")]]


async def test_equal_commands_that_are_no_notes_run_each(
    pipelines: SharedPipelines, server: Server
) -> None:
    await asyncio.gather(*asks(pipelines, [("INCR", "a")], [("INCR", "a")]))

    assert server.pipelines == [[("INCR", "a"), ("INCR", "a")]]


async def test_an_error_of_the_server_fails_only_the_request_with_the_command(
    pipelines: SharedPipelines,
) -> None:
    good, bad, after = await asyncio.gather(
        *asks(pipelines, [("GET", "a")], [("GET", "x"), ("GET", "BAD")], [("GET", "b")]),
        return_exceptions=True,
    )

    assert (good, after) == (["a"], ["b"])
    assert isinstance(bad, Unavailable)
    assert "WRONGTYPE" in str(bad)


async def test_a_broken_connection_fails_all_requests_of_its_pipeline_and_none_after(
    pipelines: SharedPipelines, server: Server
) -> None:
    server.breaks = True
    failed = await asyncio.gather(
        *asks(pipelines, [("GET", "a")], [("GET", "b")]), return_exceptions=True
    )
    server.breaks = False

    assert [type(one) for one in failed] == [Unavailable, Unavailable]
    assert failed[0] is not failed[1]
    assert await pipelines.run(("GET", "c")) == ["c"]


async def test_an_unknown_script_runs_by_its_text_with_what_follows_in_its_group_only(
    pipelines: SharedPipelines, server: Server
) -> None:
    call = call_script("end_send", ["k"], "done")

    answers = await asyncio.gather(
        *asks(pipelines, [("GET", "a")], [("GET", "b"), call, ("GET", "c")], [("GET", "d")])
    )

    assert answers == [["a"], ["b", "done", "c"], ["d"]]
    assert call[:2] == ("EVALSHA", digest("end_send"))
    assert server.pipelines[1:] == [
        [("EVAL", script("end_send"), 1, "k", "done"), ("GET", "c")],
    ]
    assert await pipelines.run(call) == ["done"]
    assert server.pipelines[2:] == [[call]]


async def test_a_cancelled_request_leaves_the_others_alone(
    pipelines: SharedPipelines, server: Server
) -> None:
    server.gate = asyncio.Event()
    first, second = asks(pipelines, [("GET", "a")], [("GET", "b")])
    await until(lambda: server.under_way == 1)
    first.cancel()
    server.gate.set()

    assert await second == ["b"]
    assert first.cancelled()


async def test_a_request_that_is_cancelled_before_its_pipeline_begins_is_not_sent(
    pipelines: SharedPipelines, server: Server
) -> None:
    server.gate = asyncio.Event()
    for number in range(AT_ONCE):
        asks(pipelines, [("GET", number)])
        await until(lambda: server.under_way == number + 1)  # noqa: B023
    first, second = asks(pipelines, [("GET", "a")], [("GET", "b")])
    await asyncio.sleep(0)
    first.cancel()
    server.gate.set()

    assert await second == ["b"]
    assert server.pipelines[-1] == [("GET", "b")]


async def test_a_late_answer_holds_nobody_up_until_all_pipelines_are_late(
    pipelines: SharedPipelines, server: Server
) -> None:
    server.gate, late = asyncio.Event(), server
    stuck = asks(pipelines, [("GET", "a")])
    await until(lambda: late.under_way == 1)
    held, server.gate = server.gate, None

    assert await pipelines.run(("GET", "b")) == ["b"]
    held.set()
    assert await stuck[0] == ["a"]


async def test_pipelines_and_their_lengths_are_bounded(
    pipelines: SharedPipelines, server: Server
) -> None:
    groups: list[list[Command]] = [[("GET", n)] for n in range(LARGEST_BATCH * (AT_ONCE + 2) + 1)]

    answers = await asyncio.gather(*asks(pipelines, *groups))

    assert answers == [[n] for n in range(len(groups))]
    assert server.most_under_way == AT_ONCE
    assert max(map(len, server.pipelines)) == LARGEST_BATCH


async def test_no_request_waits_longer_than_the_bound_behind_a_server_that_does_not_answer(
    pipelines: SharedPipelines, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound counts from the question, so that a wait for a pipeline and one for its answer do not add up."""
    monkeypatch.setattr(shared_pipelines, "ANSWER_TIMEOUT_S", 0.2)
    server.gate = asyncio.Event()
    groups: list[list[Command]] = [[("GET", n)] for n in range(LARGEST_BATCH * (AT_ONCE + 3))]

    async with asyncio.timeout(20):
        answers = await asyncio.gather(*asks(pipelines, *groups), return_exceptions=True)

    assert {type(answer) for answer in answers} == {Unavailable}
