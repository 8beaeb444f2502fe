"""Each invariant finds the violation that it is for, because a chaos run that cannot fail proves nothing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.chaos.evidence import Entry, Evidence, forms_of
from tests.chaos.invariants import find_violations
from tests.chaos.requests_made import Book, Wanted

REQUEST, WORKER, CONTEXT, OBJECT = "pdr_1", "chaos-1", "context-1", "cou_1"
NOT_CREATED = {
    "kind": "api",
    "certainty": "not_created",
    "code": "resource_missing",
    "http_status": 404,
}
UNKNOWN = {"kind": "http", "certainty": "unknown", "code": "timeout", "http_status": None}


def entry(
    number: int = 1,
    request_id: str = REQUEST,
    error: dict[str, Any] | None = None,
    operation: str = "create_coupon",
) -> Entry:
    response = None if error else {"body": {"id": OBJECT}}
    return Entry(f"{number}-0", WORKER, request_id, CONTEXT, operation, response, error)


def flow(published: Entry, at: float = 100.0, pid: int = 1) -> dict[str, Any]:
    ending, certainty, code = published.outcome
    return {
        "at": at,
        "request_id": published.request_id,
        "worker_id": WORKER,
        "context_id": CONTEXT,
        "ending": ending,
        "certainty": certainty,
        "code": code,
        "pid": pid,
    }


def effect(
    created: str = OBJECT, request_id: str | None = REQUEST, operation: str = "create_coupon"
) -> dict[str, Any]:
    return {
        "id": created,
        "object": "coupon",
        "operation": operation,
        "idempotency_key": request_id,
        "metadata": {"n": request_id},
    }


def attempt(status: int | None, fault: str | None, *, replayed: bool = False) -> dict[str, Any]:
    return {"idempotency_key": REQUEST, "status": status, "fault": fault, "replayed": replayed}


def evidence(**changes: Any) -> Evidence:
    """Return the evidence of one request without a violation, with these `changes`."""
    book = Book()
    params = {"metadata": {"n": REQUEST, "script": "plain"}}
    path = changes.pop("path", {})
    wanted = Wanted(
        REQUEST, "coupon", "create_coupon", params, WORKER, CONTEXT, "interactive", None, path=path
    )
    book.note(REQUEST, wanted, "queue", poison=changes.pop("poison", False))
    well: dict[str, Any] = {
        "book": book,
        "effects": [effect()],
        "attempts": [],
        "entries": [entry()],
        "dead": set(),
        "flows": [flow(entry())],
        "statuses": {REQUEST: {"status": "succeeded"}},
        "leftovers": [],
        "dead_letters": [],
        "kills": [],
    }
    return Evidence(**{**well, **changes})


def test_one_effect_one_outcome_and_one_flow_break_nothing() -> None:
    assert find_violations(evidence()) == []


def test_an_unknown_outcome_that_was_settled_later_breaks_nothing() -> None:
    both = [entry(1, error=UNKNOWN), entry(2)]
    assert find_violations(evidence(entries=both, flows=[flow(one) for one in both])) == []


@pytest.mark.parametrize("operation", ["update_product", "delete_coupon"])
def test_an_operation_without_a_proof_that_stays_unknown_breaks_nothing(operation: str) -> None:
    unknown = entry(error=UNKNOWN, operation=operation)
    assert find_violations(evidence(entries=[unknown], flows=[flow(unknown)])) == []


@pytest.mark.parametrize("operation", ["cancel_payment_intent", "capture_payment_intent"])
def test_another_operation_that_stays_unknown_is_lost(operation: str) -> None:
    unknown = entry(error=UNKNOWN, operation=operation)
    found = find_violations(evidence(entries=[unknown], flows=[flow(unknown)]))
    assert [each.invariant for each in found] == ["requests lost"]


def test_the_effects_of_a_delete_are_found_by_its_object() -> None:
    """Stripe gets no idempotency key with a DELETE."""
    denied = entry(error={**NOT_CREATED, "certainty": "not_executed"}, operation="delete_coupon")
    deleted = effect(OBJECT, None, "delete_coupon")
    found = find_violations(
        evidence(
            entries=[denied],
            flows=[flow(denied)],
            effects=[deleted],
            statuses={REQUEST: {"status": "failed"}},
            path={"coupon": OBJECT},
        )
    )
    assert [each.invariant for each in found] == ["verdicts"]


def test_a_declined_card_leaves_a_payment_intent_and_is_still_not_created() -> None:
    declined = entry(error={**NOT_CREATED, "http_status": 402})
    status = {REQUEST: {"status": "failed"}}
    assert (
        find_violations(evidence(entries=[declined], flows=[flow(declined)], statuses=status)) == []
    )


def test_a_repeated_run_around_a_kill_breaks_nothing() -> None:
    kills = [{"at": 101.0, "target": "worker", "process": "worker", "pid": 1}]
    runs = [flow(entry()), flow(entry(), at=112.0, pid=2)]
    assert find_violations(evidence(flows=runs, kills=kills)) == []


def test_the_kill_of_another_process_does_not_excuse_a_repeated_run() -> None:
    kills = [{"at": 101.0, "target": "worker", "process": "worker", "pid": 7}]
    runs = [flow(entry()), flow(entry(), at=112.0, pid=2)]
    assert [each.invariant for each in find_violations(evidence(flows=runs, kills=kills))] == [
        "terminal flows"
    ]


def test_a_failover_of_redis_excuses_a_repeated_run() -> None:
    kills = [{"at": 101.0, "target": "failover", "process": "redis"}]
    runs = [flow(entry()), flow(entry(), at=112.0)]
    assert find_violations(evidence(flows=runs, kills=kills)) == []


@pytest.mark.parametrize(
    "form", ["{}", '"{}"', "x{}x", "sk\\u005ftest\\u005f{0}", "sk%5Ftest%5F{0}"]
)
def test_a_key_is_found_in_every_form(form: str) -> None:
    key = "sk_test_hidden"
    text = form.format("hidden" if "{0}" in form else key).encode()
    assert any(written in text for written in forms_of(key))


def test_poison_with_an_unknown_outcome_that_is_reconciled_breaks_nothing() -> None:
    doubted = entry(1, error={**UNKNOWN, "kind": "dispatcher", "code": "parameter_unknown"})
    proved = entry(2, error={**NOT_CREATED, "kind": "http", "code": "not_found_after_horizon"})
    found = evidence(
        poison=True,
        effects=[],
        entries=[doubted, proved],
        flows=[flow(doubted), flow(proved)],
        statuses={REQUEST: {"status": "failed"}},
    )
    assert find_violations(found) == []


REFUSED = entry(error=NOT_CREATED)
DOUBTED = entry(error=UNKNOWN)
ILL = entry(error={**NOT_CREATED, "kind": "dispatcher", "code": "internal"})
SECOND = entry(2, request_id="pdr_2")
FAILED = {REQUEST: {"status": "failed"}}
BROKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "a second object": ("effects per request", {"effects": [effect(), effect("cou_2")]}),
    "a second object under another key": (
        "effects per request",
        {"effects": [effect(), {**effect("cou_2", "pdr_9"), "metadata": {"n": REQUEST}}]},
    ),
    "no outcome": ("requests lost", {"entries": [], "flows": []}),
    "still unknown at the end": (
        "requests lost",
        {"entries": [DOUBTED], "flows": [flow(DOUBTED)]},
    ),
    "something left over": ("requests lost", {"leftovers": ["1 entries not acknowledged"]}),
    "two outcomes": (
        "terminal flows",
        {"entries": [entry(1), entry(2)], "flows": [flow(entry()), flow(entry())]},
    ),
    "a settled end followed by an unknown one": (
        "terminal flows",
        {"entries": [entry(1), entry(2, error=UNKNOWN)]},
    ),
    "an outcome without a request": ("terminal flows", {"entries": [entry(), SECOND]}),
    "an outcome whose flow never ran": ("terminal flows", {"flows": []}),
    "a flow that ran twice for no reason": (
        "terminal flows",
        {"flows": [flow(entry()), flow(entry(), at=112.0)]},
    ),
    "a verdict of not created for an object that exists": (
        "verdicts",
        {"entries": [REFUSED], "flows": [flow(REFUSED)], "statuses": FAILED},
    ),
    "a verdict of not created without the last answer": (
        "verdicts",
        {
            "entries": [REFUSED],
            "flows": [flow(REFUSED)],
            "statuses": FAILED,
            "effects": [],
            "attempts": [attempt(None, "reset"), attempt(404, None)],
        },
    ),
    "a response without an object at Stripe": ("verdicts", {"effects": []}),
    "a status that contradicts the outcome": ("verdicts", {"statuses": FAILED}),
    "a neighbour that failed": (
        "neighbours of poison",
        {"entries": [ILL], "flows": [flow(ILL)], "effects": [], "statuses": FAILED},
    ),
    "poison that was let through": ("neighbours of poison", {"poison": True}),
    "a message the queue dead-lettered by itself": (
        "neighbours of poison",
        {"dead_letters": [("{}", None)]},
    ),
    "flows that ran out of order": (
        "order",
        {"entries": [entry(), SECOND], "flows": [flow(SECOND), flow(entry())]},
    ),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_promise_is_found(case: tuple[str, dict[str, Any]]) -> None:
    invariant, changes = case
    assert invariant in {violation.invariant for violation in find_violations(evidence(**changes))}


def test_a_key_in_the_clear_is_found() -> None:
    found = evidence()
    found.keys_seen.append("sk_test_1 in worker.log")
    assert [violation.invariant for violation in find_violations(found)] == ["keys"]


def repeated(first_end: Entry) -> list[str]:
    """Return the violations of a DELETE that was repeated under its key after `first_end` and then executed."""
    repeat = entry(2, "pdr_2", operation="delete_coupon")
    deleted = {**effect(OBJECT, None, "delete_coupon"), "created": 30.0}
    refused = {
        "idempotency_key": None,
        "status": 401,
        "fault": None,
        "replayed": False,
        "path": f"/v1/coupons/{OBJECT}",
        "at": 11.0,
    }
    found = evidence(
        entries=[first_end, repeat],
        flows=[flow(first_end), flow(repeat)],
        effects=[deleted],
        attempts=[refused],
        statuses={
            REQUEST: {"status": "failed", "accepted_at": "10"},
            "pdr_2": {"status": "succeeded", "accepted_at": "20", "repeat_of": REQUEST},
        },
        path={"coupon": OBJECT},
    )
    first = found.book.submitted.pop(REQUEST)
    found.book.note("pdr_2", first.wanted, "repeats")
    return [each.invariant for each in find_violations(found)]


def test_a_repeat_after_an_end_without_effect_breaks_nothing() -> None:
    refused = {**NOT_CREATED, "certainty": "not_executed", "http_status": 401}
    assert repeated(entry(error=refused, operation="delete_coupon")) == []


def test_a_repeat_after_an_unknown_end_is_a_second_request() -> None:
    assert "ways in" in repeated(entry(error=UNKNOWN, operation="delete_coupon"))
