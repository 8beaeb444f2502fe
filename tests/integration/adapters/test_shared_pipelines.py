"""Shared pipelines against a real server, alone and as a cluster: the same answers as one command at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.exceptions import RedisError

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.scripts import Note, digest, script
from paydispatch.adapters.redis.shared_pipelines import SharedPipelines
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lossy_way import LossyWay

    from paydispatch.adapters.redis.scripts import Command

    Step = tuple[list[str], int]
    """The commands of one group by their names, and for how many turns of the loop the request waits before it."""

FAILED = "failed"

COMMANDS = st.sampled_from(
    ["count", "append", "read", "note", "set", "wrong type", "bad script", "end_send", "open"]
)
REQUESTS = st.lists(
    st.lists(st.tuples(st.lists(COMMANDS, min_size=1, max_size=3), st.integers(0, 3)), max_size=4),
    min_size=1,
    max_size=12,
)


@pytest.fixture(params=["valkey", "cluster"])
def url(request: pytest.FixtureRequest) -> str:
    server: Any = request.getfixturevalue(request.param)
    found: str = server.url
    return found


@given(requests=REQUESTS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_commands_in_any_interleaving_answer_as_one_after_the_other(
    url: str, requests: list[list[Step]]
) -> None:
    alone, together = asyncio.run(run_both(url, requests))

    assert together == alone


async def run_both(url: str, requests: list[list[Step]]) -> tuple[list[Any], list[Any]]:
    client = connect_async(url)
    try:
        await client.flushall()
        for name in (
            "end_send",
            "open",
        ):  # a group without its script runs twice, and so counts twice
            await client.script_load(script(name))
        await client.zadd(
            "index", {"every": -1}
        )  # so that the answers do not depend on the order of the requests
        alone = [await run_alone(client, f"a{n}", steps) for n, steps in enumerate(requests)]
        shared = SharedPipelines(client)
        running = (run_shared(shared, f"b{n}", steps) for n, steps in enumerate(requests))
        return alone, list(await asyncio.gather(*running))
    finally:
        await client.aclose()


async def run_alone(client: Any, name: str, steps: Sequence[Step]) -> list[Any]:
    """Run one command after the other. A group with an error counts as failed."""
    ends: list[Any] = []
    for names, _ in steps:
        answers: list[Any] = []
        for command in commands_of(name, names):
            try:
                words = (
                    ("EVAL", script(command[0]), *command[1:]) if is_script(command) else command
                )
                answers.append(await client.execute_command(*words))
            except RedisError:
                answers.append(FAILED)
        ends.append(FAILED if FAILED in answers else answers)
    return ends


async def run_shared(shared: SharedPipelines, name: str, steps: Sequence[Step]) -> list[Any]:
    ends: list[Any] = []
    for names, turns in steps:
        for _ in range(turns):
            await asyncio.sleep(0)
        commands = [
            ("EVALSHA", digest(command[0]), *command[1:]) if is_script(command) else command
            for command in commands_of(name, names)
        ]
        try:
            ends.append(await shared.run(*commands))
        except Unavailable:
            ends.append(FAILED)
    return ends


def is_script(command: Command) -> bool:
    return command[0] in ("end_send", "open")


def commands_of(name: str, names: Sequence[str]) -> list[Command]:
    """Return commands on the keys of one request. Its keys lie in four slots, as those of a real request do."""
    made: dict[str, Command] = {
        "count": ("INCR", f"count:{name}"),
        "append": ("RPUSH", f"list:{name}", "x"),
        "read": ("GET", f"count:{name}"),
        "note": Note(("ZADD", "index", "LT", 0, "every")),
        "set": ("SET", f"text:{name}", "t"),
        "wrong type": ("RPUSH", f"count:{name}", "x"),
        "bad script": ("EVAL", "return redis.call('NONE', KEYS[1])", 1, f"text:{name}"),
        "end_send": ("end_send", 2, f"{{{name}}}", f"{{{name}}}:s", 100, "", "token", "refused"),
        "open": ("open", 2, f"{{{name}}}:seen", f"{{{name}}}:open", "r1", 5, 100, 0),
    }
    return [made[one] for one in names]


async def test_requests_go_on_after_the_server_has_lost_its_data_and_scripts(
    url: str, entry: Any
) -> None:
    client = connect_async(url)
    outcomes = RedisOutcomes(client, queue_tenant="local")
    await outcomes.publish(entry("r0"))
    await client.flushall()
    await client.script_flush()

    first = await asyncio.gather(*(outcomes.publish(entry(f"r{n}")) for n in range(20)))
    again = await asyncio.gather(*(outcomes.publish(entry(f"r{n}")) for n in range(20)))

    assert (set(first), set(again)) == ({True}, {False})
    assert await client.xlen(keys.outcomes("w1")) == 20
    await client.aclose()


@pytest.mark.parametrize("kept_bytes", [0, 4, 21])
async def test_a_pipe_that_breaks_within_the_answers_leaves_every_result_unknown(
    lossy: tuple[LossyWay, str], kept_bytes: int
) -> None:
    """The server has run every command, and some answers have arrived. No request may take one for its result."""
    way, url = lossy
    client = connect_async(url)
    shared = SharedPipelines(client)
    await shared.run(("SET", "last", 0))
    way.lose_answer_to(b"last", kept_bytes=kept_bytes)

    counted = [shared.run(("INCR", f"n{n}")) for n in range(8)]
    ends = await asyncio.gather(*counted, shared.run(("INCR", "last")), return_exceptions=True)

    assert way.lost == 1
    assert {type(end) for end in ends} == {Unavailable}
    assert await shared.run(("INCR", "last"), ("INCR", "n0")) == [2, 2]
    await client.aclose()


@pytest.mark.parametrize("bad", ["\ud800", None])
async def test_an_argument_that_cannot_be_sent_fails_only_its_own_request(
    url: str, bad: str | None
) -> None:
    client = connect_async(url)
    shared = SharedPipelines(client)

    good, failed, after = await asyncio.gather(
        shared.run(("SET", "a", 1)),
        shared.run(("SET", "b", bad)),
        shared.run(("SET", "c", 3)),
        return_exceptions=True,
    )

    assert (good, after) == ([True], [True])
    assert isinstance(failed, UnicodeEncodeError if bad else Unavailable)
    assert await shared.run(("GET", "c")) == ["3"]
    await client.aclose()


async def test_a_request_that_is_cancelled_on_the_way_leaves_its_connection_in_step(
    url: str,
) -> None:
    client = connect_async(url)
    shared = SharedPipelines(client)
    for round_ in range(30):
        tasks = [
            asyncio.create_task(shared.run(("SET", f"k{n}", n), ("GET", f"k{n}"))) for n in range(9)
        ]
        for _ in range(round_ % 5):
            await asyncio.sleep(0)
        tasks[round_ % 9].cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        texts = [end[1] for end in ends if not isinstance(end, BaseException)]
        assert texts == [str(n) for n in range(9) if n != round_ % 9]
    await client.aclose()
