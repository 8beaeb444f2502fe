"""A chaos run can send events, and measures how soon they settle a request."""

from __future__ import annotations

from typing import Any

from tests.chaos.evidence import Entry, Evidence
from tests.chaos.plan import Plan, fault_names, faults
from tests.chaos.report import figures
from tests.chaos.requests_made import ALONE_DEADLINE_S, Book, make

from paydispatch.twin.faults import Facts, Faults

ORDINARY = Plan(7, 100, kills=1)
ALONE = Plan(7, 100, kills=0, lists_off=True)


def fault_of(facts: Facts) -> str | None:
    """Return the fault that a run whose lists are off has for a call."""
    injected = Faults(seed=7)
    for rule in ALONE.faults():
        injected.add(rule)
    return injected.decide(facts).kind


def write(method: str, key: str | None) -> Facts:
    return Facts("coupon", method, {}, key)


def test_an_ordinary_run_sends_no_events_and_keeps_its_faults() -> None:
    assert not ORDINARY.sends_events
    assert ORDINARY.faults() == faults()


def test_events_are_late_lost_twice_and_reordered() -> None:
    plan = Plan(7, 100, kills=1, events=True)
    assert plan.sends_events
    assert all(plan.event_faults[name] > 0 for name in ("late", "lost", "twice", "reordered"))


def test_no_event_is_lost_where_nothing_else_could_prove() -> None:
    assert ALONE.sends_events
    assert ALONE.event_faults["lost"] == 0


def test_with_lists_off_every_answer_to_a_write_of_ours_is_lost() -> None:
    assert fault_of(write("POST", "pdr_1")) == "reset"
    assert fault_of(write("DELETE", None)) == "reset"
    assert fault_of(write("POST", "prepare-1")) is None


def test_with_lists_off_one_object_can_be_fetched_but_no_list() -> None:
    assert fault_of(Facts("coupon", "GET", {}, None, is_list=True)) == "status"
    assert fault_of(Facts("coupon", "GET", {}, None)) is None


def test_with_lists_off_every_request_ends_within_the_run() -> None:
    for number in range(50):
        wanted = make(ALONE, "api", number, ALONE.dice("test"))
        assert 0 < (wanted.deadline_s or 0) <= ALONE_DEADLINE_S


def test_a_run_without_kills_has_a_schedule() -> None:
    assert {event.target for event in ALONE.schedule()} == {"pause", "secret"}


def test_each_fault_has_a_name() -> None:
    assert fault_names(ALONE.faults())["fault_2"] == "lost_answer"


def test_the_wait_after_an_event_is_measured_for_requests_that_it_settled() -> None:
    found = evidence_of(
        entries=[entry("pdr_1", 103.5), entry("pdr_2", 101.0), entry("pdr_3", 250.0)],
        events=[
            event("pdr_1", delivered_at=103.0),
            event("pdr_1", delivered_at=101.5),
            event("pdr_2", delivered_at=102.0),
            event("pdr_3", delivered_at=103.0),
            event(None, delivered_at=103.0),
            event("pdr_1", delivered_at=None),
        ],
    )
    counted = figures(found, [], 1.0)
    assert (counted["after_event_p50_s"], counted["after_event_max_s"]) == (2.0, 2.0)
    assert (counted["settled_before_reconcile"], counted["settled_later"]) == (2, 1)


def entry(request_id: str, at: float) -> Entry:
    body = {"body": {"id": "cou_1"}}
    return Entry(f"{int(at * 1000)}-0", "w", request_id, "c", "create_coupon", body, None)


def event(key: str | None, *, delivered_at: float | None) -> dict[str, Any]:
    return {"idempotency_key": key, "delivered_at": delivered_at}


def evidence_of(entries: list[Entry], events: list[dict[str, Any]]) -> Evidence:
    return Evidence(
        book=Book(),
        effects=[],
        attempts=[],
        entries=entries,
        dead=set(),
        flows=[],
        statuses={},
        leftovers=[],
        dead_letters=[],
        kills=[],
        stripe_events=events,
        lists_back_at=200.0,
    )
