"""The contract of `RequestBoard`: the twin, Redis, and Redis as a cluster keep it alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.memory import MemoryBoard, MemoryClock
from paydispatch.adapters.redis_board import RedisBoard
from paydispatch.adapters.redis_connection import connect, connect_async
from paydispatch.adapters.redis_outcomes import RedisOutcomes
from paydispatch.ports import Claim, RequestRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.ports import RequestBoard


@pytest.fixture(params=["memory", "valkey", "cluster"])
def board(request: pytest.FixtureRequest) -> Iterator[RequestBoard]:
    if request.param == "memory":
        yield MemoryBoard()
        return
    redis = connect(request.getfixturevalue(request.param).url)
    yield RedisBoard(redis)
    redis.close()


def record(request_id: str = "r1", **changed: Any) -> RequestRecord:
    fields = {"tenant": "acme", "object": "product", "worker_id": "w1", "context_id": "c1"}
    return RequestRecord(request_id=request_id, **{"status": "dispatched", **fields, **changed})


def test_a_free_identity_is_taken(board: RequestBoard) -> None:
    assert board.claim({"r1": "body"}) == {"r1": Claim(same_body=True, queued=False)}


def test_the_same_body_may_claim_again_and_another_may_not(board: RequestBoard) -> None:
    board.claim({"r1": "body"})

    assert board.claim({"r1": "body"})["r1"].same_body
    assert not board.claim({"r1": "other"})["r1"].same_body


def test_a_claim_knows_whether_the_queue_has_the_request(board: RequestBoard) -> None:
    board.claim({"r1": "body", "r2": "body"})
    board.queued([record("r1")])

    claims = board.claim({"r1": "body", "r2": "body"})

    assert [claims["r1"].queued, claims["r2"].queued] == [True, False]


def test_many_are_claimed_at_once_each_with_its_own_answer(board: RequestBoard) -> None:
    board.claim({f"r{n}": "first" for n in range(0, 40, 2)})

    claims = board.claim({f"r{n}": "second" for n in range(40)})

    assert [claims[f"r{n}"].same_body for n in range(40)] == [n % 2 == 1 for n in range(40)]


def test_nothing_is_claimed_or_noted_of_nothing(board: RequestBoard) -> None:
    assert board.claim({}) == {}
    board.queued([])


def test_a_request_is_found_when_the_queue_has_it(board: RequestBoard) -> None:
    board.claim({"r1": "body"})
    assert board.find("r1") is None

    board.queued([record("r1"), record("r2")])

    assert [board.find("r1"), board.find("r2"), board.find("r3")] == [
        record("r1"),
        record("r2"),
        None,
    ]


def test_a_claim_by_another_body_does_not_change_what_is_found(board: RequestBoard) -> None:
    board.queued([record("r1")])
    board.claim({"r1": "other"})

    assert board.find("r1") == record("r1")


@pytest.mark.parametrize("mode", ["valkey", "cluster"])
async def test_the_caller_s_status_stands_whoever_wrote_first(
    request: pytest.FixtureRequest, mode: str, clock: MemoryClock, envelope: Any, entry: Any
) -> None:
    url = request.getfixturevalue(mode).url
    client, door = connect_async(url), connect(url)
    outcomes, board = RedisOutcomes(client, clock, queue_tenant="acme"), RedisBoard(door)
    waited = envelope("r1", principal="acme")

    await outcomes.begin(waited)
    board.queued([record("r1")])
    assert board.find("r1") == record("r1", status="calling", attempts=1)
    await outcomes.waiting(waited, clock.now_s() + 5)
    assert board.find("r1") == record("r1", status="retrying", retry_at=clock.now_s() + 5)
    await outcomes.publish(entry("r1", principal="acme"))

    assert board.find("r1") == record(
        "r1", status="succeeded", attempts=1, parsed_data={"id": "prod_1"}
    )
    await client.aclose()
    door.close()


@pytest.mark.parametrize("mode", ["valkey", "cluster"])
async def test_an_unknown_end_shows_its_error_until_it_is_settled(
    request: pytest.FixtureRequest, mode: str, clock: MemoryClock, entry: Any
) -> None:
    url = request.getfixturevalue(mode).url
    client, door = connect_async(url), connect(url)
    outcomes, board = RedisOutcomes(client, clock, queue_tenant="acme"), RedisBoard(door)

    await outcomes.publish(entry("r1", unknown=True))
    unknown = board.find("r1")
    await outcomes.publish(entry("r1"))
    settled = board.find("r1")

    assert unknown is not None
    assert unknown.parsed_error is not None
    assert (unknown.status, unknown.parsed_error["certainty"]) == ("unknown", "unknown")
    assert settled is not None
    assert (settled.parsed_data, settled.parsed_error) == ({"id": "prod_1"}, None)
    await client.aclose()
    door.close()
