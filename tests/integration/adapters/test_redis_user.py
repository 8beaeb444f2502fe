"""The Redis user of the operations page may run every command of the programs, and no command that they never use."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError
from stack_template import load
from tests.integration.adapters.limit_worlds import ACCOUNT, token_ask
from tests.integration.adapters.slot_worlds import (
    DONE,
    DOUBT,
    LATE,
    account_for,
    claim_for,
    entry_of,
    send_for,
)

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.backlog import RedisBacklog
from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.eviction import EvictionCheck
from paydispatch.adapters.redis.rates.key_breakers import RedisKeyBreakers
from paydispatch.adapters.redis.rates.limit_board import RedisLimitBoard
from paydispatch.adapters.redis.rates.limiter import RedisLimiter
from paydispatch.adapters.redis.recent import RedisRecent
from paydispatch.adapters.redis.requests.request_slots import RedisRequests
from paydispatch.adapters.redis.requests.request_store import RedisRequestStore
from paydispatch.adapters.redis.requests.unknown_outcomes import RedisUnknownOutcomes
from paydispatch.adapters.redis.streams.dead_streams import RedisDeadStreams
from paydispatch.adapters.redis.streams.doorbell_listener import RedisDoorbellListener
from paydispatch.adapters.redis.streams.inbox import RedisInbox
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.adapters.redis.streams.sweep import RedisSweep
from paydispatch.domain.claims import SendEnd
from paydispatch.domain.operators.dead_flows import Moved
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.limits import DefaultLimits
from paydispatch.domain.rates.tokens import Granted
from paydispatch.domain.sweep import GRACE_S, KEEP_FINISHED_S
from paydispatch.ports import Postponement
from paydispatch.testing.memory_clock import MemoryClock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.testing.memory_event_log import MemoryEventLog

ROOT = Path(__file__).parents[3]
LUA = ROOT / "functions/paydispatch/adapters/redis/lua"
USER = "paydispatch"
CHANNEL = "&pd:{*}:bell"


def rule_of_the_docs() -> list[str]:
    """Return the words after ACL SETUSER in `docs/operations.md`, with its lines joined."""
    page = (ROOT / "docs/operations.md").read_text("utf-8")
    block = re.search(r"^    ACL SETUSER (paydispatch(?:.*\\\n)*.*)$", page, re.MULTILINE)
    assert block is not None
    return block[1].replace("\\\n", " ").split()


def commands_of_the_docs() -> set[str]:
    return {word[1:] for word in rule_of_the_docs() if word.startswith("+")}


@pytest.fixture(params=["valkey", "cluster"])
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    server = request.getfixturevalue(request.param)
    yield server
    server.tell_every_node("ACL", "DELUSER", USER)


def rule_of_the_stack(program: str) -> list[str]:
    """Return the words of a program's user in `infra/redis.yaml`."""
    stack = load(ROOT / "infra/redis.yaml")
    first, _ = stack.resources[f"{program}User"]["Properties"]["AccessString"]["Fn::Join"][1]
    return [USER, *f"{first} {stack.mappings['Rights'][program]['Commands']}".split()]


def url_of_user(server: Any, *changed: str, rule: list[str] | None = None) -> str:
    """Make the user of the docs with these changes, or one with another rule, and return its URL."""
    words = rule or rule_of_the_docs()
    server.tell_every_node("ACL", "SETUSER", *words, *changed, ">secret")
    return str(server.url).replace("redis://", f"redis://{USER}:secret@")


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock(float(int(time.time())))


async def test_all_programs_work_as_the_redis_user_of_the_docs(
    server: Any, clock: MemoryClock, log: MemoryEventLog, entry: Any
) -> None:
    server.tell_every_node("ACL", "LOG", "RESET")
    url = url_of_user(server)
    redis = connect_async(url, EvictionCheck(log=log))
    await call(redis, clock)
    await asyncio.to_thread(open_the_api, url, clock)
    await run_flows(redis, clock, log, entry)
    await run_dead_flows_again(redis, clock)
    await operate(redis, clock)
    await list_requests(redis)
    await keep_to_limits(redis)
    await redis.aclose()

    assert log.events() == ["entry.unreadable"]  # the test publishes one unreadable entry
    assert refusals(server) == []


def refusals(server: Any) -> list[str]:
    """Return the commands that the first node refused to a user. redis-py hides a refusal of its own commands."""
    with Redis(port=server.port, decode_responses=True) as admin:
        return [entry["object"] for entry in admin.acl_log()]


@pytest.mark.parametrize("program", ["StripeCaller", "Reconciler"])
async def test_the_caller_and_the_reconciler_work_as_their_users_of_the_stack(
    program: str, server: Any, clock: MemoryClock
) -> None:
    redis = connect_async(url_of_user(server, rule=rule_of_the_stack(program)))
    await call(redis, clock)
    await RedisRequests(redis, clock, queue_tenant="local").tenants_in_doubt()
    if program == "StripeCaller":
        await watch_keys(redis)
    await take_tokens(redis)
    await redis.aclose()


async def test_the_api_works_as_its_user_of_the_stack(server: Any, clock: MemoryClock) -> None:
    url = url_of_user(server, rule=rule_of_the_stack("Api"))
    await asyncio.to_thread(open_the_api, url, clock)


async def test_dead_flows_and_recent_requests_are_open_to_the_operator_of_the_stack(
    server: Any, clock: MemoryClock, log: MemoryEventLog, entry: Any
) -> None:
    operator = connect_async(url_of_user(server, rule=rule_of_the_stack("Operator")))
    runner = connect_async(server.url)
    await run_flows(runner, clock, log, entry)
    await run_dead_flows_again(operator, clock)
    await list_requests(operator)
    await runner.aclose()
    await operator.aclose()


@pytest.mark.parametrize("program", ["FlowRunner", "Worker"])
async def test_flows_run_as_the_users_of_the_stack(
    program: str, server: Any, clock: MemoryClock, log: MemoryEventLog, entry: Any
) -> None:
    redis = connect_async(url_of_user(server, rule=rule_of_the_stack(program)))
    caller = connect_async(server.url)
    await run_flows(redis, clock, log, entry, caller=caller, listens=program == "Worker")
    await caller.aclose()
    await redis.aclose()


async def call(redis: Any, clock: MemoryClock) -> None:
    requests = RedisRequests(redis, clock, queue_tenant="local")
    outcomes = RedisOutcomes(redis, queue_tenant="local")
    claim = claim_for("r1")
    await requests.claim(claim.as_repeat(1))
    await requests.claim(claim)
    assert await requests.find(claim)
    await requests.send(claim, send_for("t1"))
    await requests.end_send(claim, "t1", SendEnd.NOT_CONNECTED)
    await requests.mark_retrying(claim, clock.now_s() + 5, attempts=1)
    await requests.close(claim, LATE)
    await requests.accept_account(claim, account_for())
    unknown, done = entry_of(claim, DOUBT), entry_of(claim, DONE)
    assert await outcomes.publish(unknown)
    await RedisUnknownOutcomes(redis, clock).accept_account("w1", "r1", account_for())
    assert await outcomes.publish(done)
    await requests.write_status(done)
    assert await outcomes.is_settled("w1", "r1")
    assert await outcomes.last_entry("w1", "r1") is not None


def open_the_api(url: str, clock: MemoryClock) -> None:
    with contextlib.closing(connect(url)) as client:
        store = RedisRequestStore(client, clock)
        store.check()
        store.claim([claim_for("r2")])
        store.mark_queued([claim_for("r2")])
        assert store.count_repeats([(claim_for("r2"), 0)]) == [1]
        store.claim([claim_for("r2").as_repeat(1)])
        assert store.get("r2") is not None


async def run_flows(
    redis: Any,
    clock: MemoryClock,
    log: MemoryEventLog,
    entry: Any,
    *,
    caller: Any = None,
    listens: bool = True,
) -> None:
    """Run flows as the user of `redis`. The outcomes come from `caller`, if their user may not publish."""
    listener = RedisDoorbellListener(redis, log)
    outcomes = RedisOutcomes(caller or redis, queue_tenant="local")
    await outcomes.publish(entry("r3", "c2", worker_id="w3"))
    await outcomes.publish(entry("r4", "c2", worker_id="w3"))
    if listens:
        assert await hear(listener, outcomes, entry) == "w4"
    await redis.xadd(keys.outcomes("w3"), {"entry": "unreadable"})
    await listener.close()

    sweep = RedisSweep(redis, clock, log)
    assert "w3" in (await sweep.due(at_most=10)).with_work
    inbox = RedisInbox(redis, clock, log, consumer="a", flow_timeout_s=30)
    (first,) = await inbox.take("w3", at_most=5)
    await inbox.postpone(first, 1.0, Postponement.FAILED)
    clock.advance(1.0)
    (again,) = await inbox.take_abandoned("w3", at_most=5)
    second = await inbox.finish(again, take_next=True)
    assert second is not None
    third = await inbox.move_to_dead_stream(
        second, reason="no", successor=entry("r4", "c2", worker_id="w3"), take_next=True
    )
    assert third is None
    (successor,) = await inbox.take("w3", at_most=5)
    await inbox.finish(successor, take_next=False)
    clock.advance(KEEP_FINISHED_S + 120)
    await inbox.take_abandoned("w3", at_most=5)  # trims
    await sweep.due(at_most=10)


async def run_dead_flows_again(redis: Any, clock: MemoryClock) -> None:
    streams = RedisDeadStreams(redis, clock)
    assert await streams.workers() == ["w3"]
    page = await streams.page("w3", after="", until_s=await streams.time_s("w3"), at_most=5)
    moved = [await streams.rerun("w3", dead) for dead in page if dead.entry]
    assert moved == [Moved.MOVED]


async def list_requests(redis: Any) -> None:
    page = await RedisRecent(redis).read({})
    assert page.outcomes
    assert (await RedisRecent(redis).read(page.places)).outcomes == ()


async def hear(listener: RedisDoorbellListener, outcomes: RedisOutcomes, entry: Any) -> str | None:
    """Publish until a ring of w4 is heard, because a ring before the subscription is lost."""
    heard = None
    for number in range(100):
        heard = await listener.next(0.1)
        if heard == "w4":
            break
        await outcomes.publish(entry(f"bell{number}", worker_id="w4"))
    return heard


async def operate(redis: Any, clock: MemoryClock) -> None:
    clock.advance(GRACE_S)
    ends = RedisUnknownOutcomes(redis, clock)
    await ends.workers(at_most=5)
    await ends.some("w1", at_most=5)
    await ends.read("w1", "r1")
    await ends.forget("w1", "r1")
    backlog = RedisBacklog(redis, clock)
    for worker_id in await backlog.workers(at_most=5):
        await backlog.open_requests(worker_id, before=clock.now_s(), at_most=5)
        await backlog.waiting_flows(worker_id, before=clock.now_s(), at_most=5)
        await backlog.dead_flows(worker_id, before=clock.now_s(), at_most=5)
        await backlog.stream(worker_id)
    assert await backlog.eviction_policy() == "noeviction"


async def take_tokens(redis: Any) -> None:
    limiter = RedisLimiter(redis, DefaultLimits())
    call = await limiter.take(token_ask())
    assert isinstance(call, Granted)
    assert await limiter.confirm(call)
    await limiter.report(call, Feedback.OPERATION_CONCURRENCY)
    await limiter.report(call, Feedback.FAILED)


async def watch_keys(redis: Any) -> None:
    breakers = RedisKeyBreakers(redis)
    assert await breakers.check("key", "create_product") is None
    await breakers.open("key", None)
    await breakers.close("key", "create_product")


async def keep_to_limits(redis: Any) -> None:
    await take_tokens(redis)
    await watch_keys(redis)
    board = RedisLimitBoard(redis, DefaultLimits())
    await board.set_limit(ACCOUNT, None, 10)
    for account in (ACCOUNT, None):
        await board.pause(account, None, by="ops")
        await board.global_pauses()
        await board.resume(account, None)
    assert await board.accounts() == [ACCOUNT]
    await board.show(ACCOUNT)
    await board.close_breaker(ACCOUNT)
    await board.reset(ACCOUNT)
    await board.key_breakers()
    await board.close_key_breaker("key")


def test_the_user_may_run_every_command_of_a_script() -> None:
    text = "\n".join(path.read_text() for path in LUA.glob("*/*.lua"))
    called = set(
        re.findall(r"redis\.p?call\('(\w+)'(?:, '(GROUPS|CONSUMERS|DELCONSUMER|CREATE)')?", text)
    )
    commands = {"|".join(filter(None, names)).lower() for names in called}

    assert commands - commands_of_the_docs() == set()


@pytest.mark.parametrize("command", ["FLUSHALL", "CONFIG GET maxmemory", "KEYS *", "GET other"])
async def test_the_user_has_no_access_beyond_its_keys_and_commands(
    command: str, valkey: Any
) -> None:
    client = connect_async(url_of_user(valkey))
    with pytest.raises(NoPermissionError):
        await client.execute_command(*command.split())
    await client.aclose()


async def test_an_outcome_is_published_once_by_a_user_that_may_not_ring(
    server: Any, clock: MemoryClock, entry: Any
) -> None:
    client = connect_async(url_of_user(server, "resetchannels"))
    outcomes = RedisOutcomes(client, queue_tenant="local")

    assert await outcomes.publish(entry("r1")) is True
    assert await outcomes.publish(entry("r1")) is False
    assert await client.xlen(keys.outcomes("w1")) == 1
    await client.aclose()


async def test_a_user_without_channel_rights_gets_no_rings_and_one_log_line(
    server: Any, log: MemoryEventLog
) -> None:
    client = connect_async(url_of_user(server, "resetchannels"))
    listener = RedisDoorbellListener(client, log)

    assert [await listener.next(0.05) for _ in range(3)] == [None, None, None]
    assert log.events() == ["doorbell.not_allowed"]
    await listener.close()
    await client.aclose()
