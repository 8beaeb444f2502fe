"""`FlowInbox` on a real stream: consumer group, unqueued and unreadable entries, trimming, and a lost group."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.streams.inbox import TRIM_EVERY_S, RedisInbox
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.domain.sweep import KEEP_FINISHED_S
from paydispatch.ports import Postponement

if TYPE_CHECKING:
    from paydispatch.testing.memory_clock import MemoryClock
    from paydispatch.testing.memory_event_log import MemoryEventLog

STREAM = keys.outcomes("w1")


pytestmark = pytest.mark.parametrize("inboxes", ["valkey", "cluster"], indirect=True)


async def test_a_stream_without_entries_is_empty(inboxes: Any) -> None:
    a = inboxes.runner("a")

    assert await a.take_abandoned("w1", at_most=5) == []
    assert await a.take("w1", at_most=5) == []


async def test_a_new_group_reads_the_entries_from_before_its_creation(
    inboxes: Any, entry: Any
) -> None:
    await inboxes.publish(entry("r1"))

    (turn,) = await inboxes.runner("a").take("w1", at_most=5)

    assert turn.entry.request_id == "r1"
    assert [group["name"] for group in await inboxes.redis.xinfo_groups(STREAM)] == ["flows"]


async def test_concurrent_runners_create_one_group(inboxes: Any, entry: Any) -> None:
    await inboxes.publish(entry("r1"))

    taken = await asyncio.gather(
        *(inboxes.runner(name).take("w1", at_most=5) for name in "abcdefgh")
    )

    assert sum(map(len, taken)) == 1


@pytest.mark.parametrize("fields", [{"entry": "{"}, {"entry": '{"v": 99}'}, {"other": "1"}])
async def test_an_unreadable_entry_goes_to_the_dead_stream(
    inboxes: Any, log: MemoryEventLog, fields: Any
) -> None:
    entry_id = await inboxes.redis.xadd(STREAM, fields)

    assert await inboxes.runner("a").take("w1", at_most=5) == []
    ((_, dead),) = await inboxes.redis.xrange(keys.dead("w1"))
    assert dead == {"reason": "unreadable", "entry_id": entry_id, **fields}
    assert (await inboxes.redis.xpending(STREAM, keys.GROUP))["pending"] == 0
    assert log.events() == ["entry.unreadable"]


async def test_an_unreadable_postponed_entry_does_not_hide_another_one(
    inboxes: Any, entry: Any
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.redis.xgroup_create(STREAM, keys.GROUP, mkstream=True)
    entry_id = await add_unreadable_entry(inboxes)
    await inboxes.redis.xreadgroup(keys.GROUP, "tomorrow", {STREAM: ">"})
    await inboxes.redis.zadd(
        keys.later("w1"), {entry_id: 0}
    )  # a newer version could read it and postponed it
    await inboxes.publish(entry("r2", "c2"))
    (postponed,) = await a.take("w1", at_most=1)
    await a.postpone(postponed, 0, Postponement.FAILED)

    found = [*await b.take_abandoned("w1", at_most=1), *await b.take_abandoned("w1", at_most=1)]

    assert [turn.entry.request_id for turn in found] == ["r2"]
    assert await inboxes.redis.zcard(keys.later("w1")) == 0


async def test_an_abandoned_entry_is_taken_although_a_postponed_one_is_always_due(
    inboxes: Any, entry: Any, clock: MemoryClock
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1", "c1"), entry("lost", "c2"))
    again, lost = await a.take("w1", at_most=2)
    await a.postpone(again, 0, Postponement.LATER)
    await inboxes.let_lease_run_out(lost)

    found = []
    for _ in range(3):
        clock.advance(1.1)
        for turn in await b.take_abandoned("w1", at_most=1):
            found.append(turn.entry.request_id)
            if turn.entry.request_id == "r1":
                await b.postpone(turn, 0, Postponement.LATER)

    assert "lost" in found


async def add_unreadable_entry(world: Any, context_id: str = "c1") -> str:
    """Add an entry of another version. It is in its context's queue, but this version cannot read it."""
    entry_id = await world.redis.xadd(STREAM, {"entry": '{"from": "tomorrow"}'})
    await world.redis.rpush(keys.context("w1", context_id), entry_id)
    return str(entry_id)


async def test_an_unreadable_head_does_not_block_its_context(inboxes: Any, entry: Any) -> None:
    await add_unreadable_entry(inboxes)
    await add_unreadable_entry(inboxes)
    await inboxes.publish(entry("r1"))

    (turn,) = await inboxes.runner("a").take("w1", at_most=5)

    assert turn.entry.request_id == "r1"


@pytest.mark.parametrize("read_before", [True, False])
async def test_an_unreadable_entry_in_the_middle_is_skipped(
    inboxes: Any, entry: Any, read_before: bool
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"))
    (first,) = await a.take("w1", at_most=1)
    await add_unreadable_entry(inboxes)
    await inboxes.publish(entry("r2"))
    if read_before:
        assert await b.take("w1", at_most=5) == []

    following = await a.finish(first, take_next=True)
    found = [following] if following else await b.take("w1", at_most=5)

    assert [turn.entry.request_id for turn in found] == ["r2"]


async def test_unqueued_entries_are_queued_in_their_order(inboxes: Any, entry: Any) -> None:
    for name in ("r1", "r2"):
        await inboxes.redis.xadd(STREAM, {"entry": entry(name).as_json()})
    a = inboxes.runner("a")

    (first,) = await a.take("w1", at_most=5)
    second = await a.finish(first, take_next=True)

    assert [first.entry.request_id, second.entry.request_id] == ["r1", "r2"]


async def test_an_entry_belongs_to_its_stream_even_if_it_names_another_worker(
    inboxes: Any, entry: Any
) -> None:
    """Its context and its lease are stored under that stream's worker, because the runners of that stream take it."""
    a = inboxes.runner("a")
    strange = entry("r1", worker_id="w2", tenant="acme")
    await inboxes.redis.xadd(STREAM, {"entry": strange.as_json()})

    (turn,) = await a.take("w1", at_most=5)
    await a.finish(turn, take_next=False)

    assert (turn.entry, turn.worker_slot) == (strange, "w1")
    assert (await inboxes.redis.xpending(STREAM, keys.GROUP))["pending"] == 0
    assert {key.partition("}")[0] for key in await keys_like(inboxes, "pd:{*")} == {"pd:{w1"}


async def keys_like(world: Any, pattern: str) -> list[str]:
    """Return the keys of every node."""
    return [key async for key in world.redis.scan_iter(pattern)]


async def test_a_finished_entry_that_is_delivered_again_is_not_queued(
    inboxes: Any, entry: Any
) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(entry("r1"))
    (turn,) = await a.take("w1", at_most=5)
    await a.finish(turn, take_next=True)

    assert await a._turns("w1", [(turn.entry_id, {"entry": turn.entry.as_json()})]) == ([], 1)
    assert await inboxes.redis.exists(keys.context("w1", "c1")) == 0


async def test_a_finished_conversation_leaves_only_its_stream_and_how_its_entries_ended(
    inboxes: Any, entry: Any
) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(entry("r1"), entry("r2"))
    (turn,) = await a.take("w1", at_most=1)
    await a.postpone(turn, 0, Postponement.LATER)
    (turn,) = await a.take_abandoned("w1", at_most=1)
    turn = await a.finish(turn, take_next=True) or (await a.take("w1", at_most=1))[0]
    await a.finish(turn, take_next=True)

    left = {key for key in await keys_like(inboxes, "pd:{w1}:*") if ":seen:" not in key}
    finished = {keys.finished("w1"), keys.finished_before("w1")}
    finished |= {key for key in left if ":ended:" in key}
    assert STREAM in left <= {STREAM, *finished}
    for key in left & finished:
        assert 0 < await inboxes.redis.ttl(key) <= REMEMBER_S


async def test_trimming_removes_finished_entries_and_keeps_pending_and_unread_ones(
    inboxes: Any, entry: Any, clock: MemoryClock
) -> None:
    a = inboxes.runner("a")
    names = [f"r{n:04}" for n in range(600)]
    await inboxes.publish(*(entry(name, name) for name in names))
    for turn in await a.take("w1", at_most=300):
        await a.finish(turn, take_next=False)
    (pending, *_) = await a.take("w1", at_most=2)

    clock.advance(await seconds_ahead(inboxes, clock) + KEEP_FINISHED_S + TRIM_EVERY_S)
    await a.take_abandoned("w1", at_most=1)

    kept = [entry_id for entry_id, _ in await inboxes.redis.xrange(STREAM)]
    assert len(kept) < len(names)
    assert pending.entry_id in kept
    assert len(await a.take("w1", at_most=600)) == 298


async def consumers(world: Any) -> set[str]:
    return {each["name"] for each in await world.redis.xinfo_consumers(STREAM, keys.GROUP)}


def make_forgetful_runner(world: Any, name: str) -> RedisInbox:
    """Make a runner that removes other consumers as soon as they are idle."""
    return RedisInbox(
        world.redis,
        world.clock,
        world.log,
        consumer=name,
        flow_timeout_s=1_000,
        forget_consumers_after_s=0,
    )


async def test_idle_consumers_without_pending_entries_are_removed(
    inboxes: Any, entry: Any, clock: MemoryClock
) -> None:
    await inboxes.publish(entry("r1", "c1"), entry("r2", "c2"))
    await inboxes.runner("gone").take("w1", at_most=1)
    (turn,) = await inboxes.runner("busy").take("w1", at_most=1)
    (taken,) = await inboxes.runner("heir")._reader.claim(
        "w1", await entries_pending_at(inboxes, "gone")
    )
    assert await consumers(inboxes) == {"gone", "busy", "heir"}

    await make_forgetful_runner(inboxes, "tidy").take_abandoned("w1", at_most=1)

    assert await consumers(inboxes) == {"busy", "heir"}
    assert await entries_pending_at(inboxes, "busy") == [turn.entry_id]
    assert await entries_pending_at(inboxes, "heir") == [taken[0]]


async def entries_pending_at(world: Any, consumer: str) -> list[str]:
    held = await world.redis.xpending_range(STREAM, keys.GROUP, "-", "+", 10, consumername=consumer)
    return [each["message_id"] for each in held]


async def test_a_recently_active_consumer_is_kept(inboxes: Any, entry: Any) -> None:
    await inboxes.publish(entry("r1"))
    a = inboxes.runner("a")
    (turn,) = await a.take("w1", at_most=1)
    await a.finish(turn, take_next=True)

    await inboxes.runner("b").take_abandoned("w1", at_most=1)

    assert "a" in await consumers(inboxes)


async def test_a_removed_consumer_that_returns_gets_entries(inboxes: Any, entry: Any) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(entry("r1"))
    (turn,) = await a.take("w1", at_most=1)
    await a.finish(turn, take_next=True)
    await make_forgetful_runner(inboxes, "b").take_abandoned("w1", at_most=1)
    assert "a" not in await consumers(inboxes)
    await inboxes.publish(entry("r2"))

    (turn,) = await a.take("w1", at_most=1)

    assert turn.entry.request_id == "r2"


async def seconds_ahead(world: Any, clock: MemoryClock) -> float:
    """Return the server's clock minus the test's clock, in seconds."""
    (last, _) = (await world.redis.xrevrange(STREAM, count=1))[0]
    return float(int(last.partition("-")[0]) / 1000 - clock.now_s())


async def test_young_finished_entries_are_not_trimmed(
    inboxes: Any, entry: Any, clock: MemoryClock
) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(*(entry(f"r{n}", f"c{n}") for n in range(300)))
    for turn in await a.take("w1", at_most=300):
        await a.finish(turn, take_next=False)
    clock.advance(await seconds_ahead(inboxes, clock) - 3600)

    await a.take_abandoned("w1", at_most=1)

    assert await inboxes.redis.xlen(STREAM) == 300


async def test_the_next_entry_that_no_runner_has_read_is_left_to_the_one_that_reads_it(
    inboxes: Any, entry: Any
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"), entry("r2"))
    (first,) = await a.take("w1", at_most=1)

    assert await a.finish(first, take_next=True) is None

    assert [turn.entry.request_id for turn in await b.take("w1", at_most=5)] == ["r2"]


async def test_many_waiting_entries_of_a_context_do_not_hide_an_abandoned_one(
    inboxes: Any, entry: Any, clock: MemoryClock
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(*(entry(f"r{n}", "busy") for n in range(60)), entry("lost", "c2"))
    turns = {turn.entry.context_id: turn for turn in await a.take("w1", at_most=100)}
    await inboxes.let_lease_run_out(turns["c2"])

    found = []
    for _ in range(40):
        clock.advance(1.1)
        found += await b.take_abandoned("w1", at_most=1)

    assert [turn.entry.request_id for turn in found] == ["lost"]


async def test_a_running_entry_is_not_taken_over_even_if_it_is_pending_for_long(
    inboxes: Any, entry: Any
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"))
    (turn,) = await a.take("w1", at_most=1)
    await inboxes.age("w1", turn.entry_id)

    assert await b.take_abandoned("w1", at_most=5) == []


async def test_a_postponed_entry_does_not_run_before_it_is_due_even_if_it_is_pending_for_long(
    inboxes: Any, entry: Any
) -> None:
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(entry("r1"))
    (turn,) = await a.take("w1", at_most=1)
    await a.postpone(turn, 3_600, Postponement.FAILED)
    await inboxes.age("w1", turn.entry_id)

    assert await b.take_abandoned("w1", at_most=5) == []


async def lease_ms(world: Any) -> int:
    return int(await world.redis.pttl(keys.lease("w1", "c1")))


async def test_renewing_a_lease_never_shortens_it(inboxes: Any, entry: Any) -> None:
    a = inboxes.runner("a")  # the flow timeout is 1,000 s here
    await inboxes.publish(entry("r1"))
    (turn,) = await a.take("w1", at_most=1)

    await a.renew(turn, 1.0)
    assert await lease_ms(inboxes) > 1_000_000
    await a.renew(turn, 5_000.0)
    assert await lease_ms(inboxes) > 5_000_000


async def run_all(world: Any, name: str) -> list[str]:
    """Run every entry that can run now to its end, and return the request ids in order."""
    runner, ran = world.runner(name), []
    for _ in range(20):
        world.clock.advance(1.5)
        abandoned = await runner.take_abandoned("w1", at_most=5)
        taken = [*abandoned, *await runner.take("w1", at_most=5)]
        while taken:
            turn = taken.pop(0)
            ran.append(turn.entry.request_id)
            following = await runner.finish(turn, take_next=True)
            taken[:0] = [following] if following else []
    return ran


async def lose_the_group(world: Any) -> None:
    assert await world.redis.xgroup_destroy(STREAM, keys.GROUP) == 1


@pytest.mark.parametrize("trimmed", [True, False])
async def test_finished_entries_do_not_run_again_after_the_group_was_lost(
    inboxes: Any, entry: Any, clock: MemoryClock, trimmed: bool
) -> None:
    await inboxes.publish(*(entry(f"r{n}", f"c{n % 3}") for n in range(20)))
    clock.advance(await seconds_ahead(inboxes, clock))
    assert len(await run_all(inboxes, "a")) == 20
    if trimmed:
        clock.advance(TRIM_EVERY_S)
        await inboxes.runner("a").take_abandoned("w1", at_most=1)
    await inboxes.publish(entry("new"))

    await lose_the_group(inboxes)

    assert await inboxes.redis.xlen(STREAM) == 21
    assert await run_all(inboxes, "b") == ["new"]
    assert (await inboxes.redis.xpending(STREAM, keys.GROUP))["pending"] == 0
    assert await inboxes.redis.exists(keys.context("w1", "c1")) == 0


async def test_unfinished_entries_run_once_after_the_group_was_lost(
    inboxes: Any, entry: Any, clock: MemoryClock
) -> None:
    """This covers a running entry, the next of its context, a postponed, a read but abandoned, and a new entry."""
    a = inboxes.runner("a")
    await inboxes.publish(entry("done", "c0"), entry("hand", "c1"), entry("next", "c1"))
    await inboxes.publish(entry("later", "c2"))
    turns = {turn.entry.request_id: turn for turn in await a.take("w1", at_most=4)}
    await a.finish(turns["done"], take_next=True)
    await a.postpone(turns["later"], 30, Postponement.FAILED)
    await inboxes.publish(entry("read", "c3"))
    await inboxes.redis.xreadgroup(keys.GROUP, "dead", {STREAM: ">"})
    await inboxes.publish(entry("new", "c4"))

    await lose_the_group(inboxes)

    ran = await run_all(inboxes, "b")
    assert sorted(ran) == ["later", "new", "read"]
    following = await a.finish(turns["hand"], take_next=True)
    assert following is not None
    assert following.entry.request_id == "next"
    await a.finish(following, take_next=True)
    assert await run_all(inboxes, "b") == []


async def test_a_due_postponed_entry_does_not_prevent_the_recreation_of_the_group(
    inboxes: Any, entry: Any
) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(entry("r1"))
    (turn,) = await a.take("w1", at_most=1)
    await a.postpone(turn, 0, Postponement.FAILED)
    await lose_the_group(inboxes)

    assert await run_all(inboxes, "b") == ["r1"]


@pytest.mark.parametrize("successor", [True, False])
async def test_a_failed_run_is_reported_once_although_the_group_was_lost(
    inboxes: Any, entry: Any, successor: bool
) -> None:
    a = inboxes.runner("a")
    await inboxes.publish(entry("r1"), entry("r2"))
    (turn,) = await a.take("w1", at_most=1)
    await lose_the_group(inboxes)

    successor_entry = entry("r1", unknown=True) if successor else None
    assert (
        await a.move_to_dead_stream(
            turn, reason="raised", successor=successor_entry, take_next=False
        )
        is None
    )
    assert (
        await a.move_to_dead_stream(
            turn, reason="raised", successor=successor_entry, take_next=False
        )
        is None
    )

    assert await inboxes.dead() == [(entry("r1"), "raised")]
    assert await run_all(inboxes, "b") == ["r1"] * successor + ["r2"]


@pytest.mark.parametrize("start", ["0", "0-1"])
async def test_a_group_set_back_to_the_start_runs_no_entry_again(
    inboxes: Any, entry: Any, clock: MemoryClock, start: str
) -> None:
    await inboxes.publish(*(entry(f"r{n}", f"c{n % 3}") for n in range(20)))
    clock.advance(await seconds_ahead(inboxes, clock))
    await run_all(inboxes, "a")
    clock.advance(TRIM_EVERY_S)
    await inboxes.runner("a").take_abandoned("w1", at_most=1)

    await inboxes.redis.xgroup_setid(STREAM, keys.GROUP, start)

    assert await inboxes.redis.xlen(STREAM) == 20
    assert await run_all(inboxes, "b") == []


async def test_an_entry_that_an_operator_adds_again_runs_after_the_group_was_lost(
    inboxes: Any, entry: Any
) -> None:
    await inboxes.publish(entry("r1"))
    await run_all(inboxes, "a")
    await lose_the_group(inboxes)
    await inboxes.redis.xadd(STREAM, {"entry": entry("r1").as_json()})

    assert await run_all(inboxes, "b") == ["r1"]


async def test_a_thousand_finished_entries_do_not_delay_a_new_one(inboxes: Any, entry: Any) -> None:
    await inboxes.publish(*(entry(f"r{n}", f"c{n % 50}") for n in range(1_000)))
    a = inboxes.runner("a")
    for _ in range(25):
        for turn in await a.take("w1", at_most=50):
            following: Any = turn
            while following:
                following = await a.finish(following, take_next=True)
    await inboxes.publish(entry("new"))
    await lose_the_group(inboxes)

    (turn,) = await inboxes.runner("b").take("w1", at_most=5)

    assert turn.entry.request_id == "new"


async def test_many_postponed_entries_hide_neither_an_abandoned_one_nor_one_that_is_due(
    inboxes: Any, entry: Any, clock: MemoryClock
) -> None:
    """While a database is away, each of thousands of contexts waits for its retry."""
    a, b = inboxes.runner("a"), inboxes.runner("b")
    await inboxes.publish(*(entry(f"r{n}", f"c{n}") for n in range(150)))
    for turn in await a.take("w1", at_most=150):
        await a.postpone(turn, 3_600, Postponement.FAILED)
        await inboxes.age("w1", turn.entry_id)
    await inboxes.publish(entry("due", "d"), entry("lost", "l"))
    due, lost = await a.take("w1", at_most=2)
    await a.postpone(due, 1.0, Postponement.FAILED)
    await inboxes.let_lease_run_out(lost)
    await inboxes.age("w1", due.entry_id)
    clock.advance(1.1)

    found = await b.take_abandoned("w1", at_most=2)

    assert sorted(turn.entry.request_id for turn in found) == ["due", "lost"]


async def test_a_scan_leaves_the_abandoned_entries_that_it_has_no_place_for_to_others(
    inboxes: Any, entry: Any, clock: MemoryClock
) -> None:
    a, b, c = (inboxes.runner(name) for name in "abc")
    await inboxes.publish(*(entry(f"r{n}", f"c{n}") for n in range(4)))
    for turn in await a.take("w1", at_most=4):
        await inboxes.let_lease_run_out(turn)

    found = [*await b.take_abandoned("w1", at_most=2), *await c.take_abandoned("w1", at_most=4)]

    assert sorted(turn.entry.request_id for turn in found) == ["r0", "r1", "r2", "r3"]
