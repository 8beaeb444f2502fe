"""A follower asks about each request until it has an outcome, and writes the outcome once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.domain.errors import PaydispatchError, Unavailable
from paydispatch.services.submission.follow import (
    LOOKS,
    PATIENCE_S,
    Followed,
    Follower,
    list_submitted,
)
from paydispatch.services.submission.ports import Entry, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DONE = {"status": "succeeded"}
UNKNOWN = {"status": "unknown", "parsed_error": {"kind": "http", "code": None}}
DAY_S = 86_400.0


def error(kind: str, code: str | None = None, decline_code: str | None = None) -> dict[str, Any]:
    said = {"kind": kind, "code": code, "decline_code": decline_code}
    return {"status": "failed", "parsed_error": said}


class World:
    """The clock, the outcomes by the second in which they come, and the results."""

    def __init__(self, ends: Mapping[str, tuple[float, dict[str, Any]]]) -> None:
        self.ends = ends
        self.now_s = 0.0
        self.asked: Counter[str] = Counter()
        self.away_until_s = 0.0
        self.refusal: PaydispatchError | None = None
        self.records: list[Mapping[str, Any]] = []
        self.earlier: dict[str, Mapping[str, Any]] = {}
        self.progress: list[int] = []

    def find(self, request_ids: Sequence[str]) -> Sequence[Mapping[str, Any] | None]:
        if self.refusal:
            raise self.refusal
        if self.now_s < self.away_until_s:
            raise Unavailable("away")
        assert len(request_ids) <= LOOKS
        self.asked.update(request_ids)
        return [self._document(request_id) for request_id in request_ids]

    def _document(self, request_id: str) -> Mapping[str, Any] | None:
        at_s, document = self.ends[request_id]
        now = document if self.now_s >= at_s else {"status": "calling"}
        return {"request_id": request_id, **now}

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds

    def follow(self, *, at_most_s: float = DAY_S) -> Follower:
        results = _Results(self)
        follower = Follower(self, results, lambda: self.now_s, self.sleep, self.progress.append)
        lines = [Followed(line, request_id) for line, request_id in enumerate(self.ends, start=1)]
        follower.run(lines, at_most_s)
        return follower


class _Results:
    def __init__(self, world: World) -> None:
        self._world = world

    def find(self, request_id: str) -> Mapping[str, Any] | None:
        return self._world.earlier.get(request_id)

    def add(self, record: Mapping[str, Any]) -> None:
        self._world.records.append(record)


def test_each_outcome_is_counted_and_written_once_with_its_line() -> None:
    world = World(
        {
            "a": (0, DONE),
            "b": (5, error("api", "card_declined", "insufficient_funds")),
            "c": (1, error("api", "resource_missing")),
            "d": (2, error("http")),
        }
    )
    summary = world.follow().summary
    assert (summary.done, summary.declined, summary.failed, summary.under_way) == (1, 2, 1, 0)
    assert summary.by_code == {"insufficient_funds": 1, "resource_missing": 1, "http": 1}
    assert {record["request_id"]: record["line"] for record in world.records} == {
        "a": 1,
        "b": 2,
        "c": 3,
        "d": 4,
    }
    assert world.progress[-1] == 4


def test_every_request_of_a_long_file_is_followed() -> None:
    world = World({f"pdr_{n}": (n / 40, DONE) for n in range(3_000)})
    assert world.follow().summary.done == 3_000
    assert len(world.records) == 3_000
    assert world.now_s < 3_000 / 40 + 60


def test_a_long_wait_asks_seldom() -> None:
    world = World({f"pdr_{n}": (3_600.0, DONE) for n in range(1_000)})
    world.follow()
    assert sum(world.asked.values()) / world.now_s < 2 * LOOKS / 10


def test_an_unknown_request_ends_the_wait_and_may_still_settle_meanwhile() -> None:
    world = World({"a": (0, UNKNOWN), "b": (60, DONE), "c": (0, UNKNOWN)})
    world.ends = {**world.ends, "c": (30, error("api", "x"))}
    summary = world.follow().summary
    assert (summary.done, summary.declined, summary.unknown) == (1, 1, 1)
    assert {"line": 1, "request_id": "a", **UNKNOWN} in world.records
    assert not summary.all_done


def test_requests_that_are_under_way_at_the_end_of_the_wait_are_counted() -> None:
    world = World(
        {"a": (0, DONE), "b": (DAY_S, DONE), **{f"{n}": (DAY_S, DONE) for n in range(500)}}
    )
    summary = world.follow(at_most_s=60).summary
    assert (summary.done, summary.under_way) == (1, 501)
    assert world.now_s <= 61
    assert [record["request_id"] for record in world.records] == ["a"]


def test_outcomes_of_an_earlier_call_are_counted_and_not_asked_for() -> None:
    world = World({"a": (0, DONE), "b": (0, DONE)})
    world.earlier = {"a": error("api", "card_declined")}
    summary = world.follow().summary
    assert (summary.done, summary.declined) == (1, 1)
    assert list(world.asked) == ["b"]


def test_a_failover_is_waited_for() -> None:
    world = World({"a": (0, DONE)})
    world.away_until_s = PATIENCE_S / 2
    assert world.follow().summary.done == 1


def test_a_store_that_stays_away_ends_the_wait_with_its_error() -> None:
    world = World({"a": (0, DONE), "b": (0, DONE)})
    world.away_until_s = DAY_S
    with pytest.raises(Unavailable):
        world.follow()
    assert PATIENCE_S <= world.now_s < 2 * PATIENCE_S


def test_a_refusal_ends_the_wait_at_once() -> None:
    world = World({"a": (0, DONE)})
    world.refusal = PaydispatchError("sign in")
    with pytest.raises(PaydispatchError, match="sign in"):
        world.follow()
    assert world.now_s == 0


def test_only_lines_that_the_target_has_are_followed_in_the_order_of_the_file() -> None:
    entries = {
        "c": Entry(Stage.SUBMITTED, 3, request_id="pdr_c"),
        "a": Entry(Stage.SUBMITTED, 1, request_id="pdr_a"),
        "b": Entry(Stage.BEGUN_EARLIER, 2),
        "old": Entry(Stage.SUBMITTED),
    }
    assert [each.request_id for each in list_submitted(entries)] == ["pdr_a", "pdr_c"]
