"""A schedule's event in, counts out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.handlers.conftest import Context

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.looks.messages import EventMessage, LookMessage
from paydispatch.handlers.reconciler import (
    LOOK_SLICE_S,
    LOOK_STOPPING_TIME_S,
    OPERATOR_SLICE_S,
    STOPPING_TIME_S,
    ReconcilerHandler,
    settle_unknowns,
)
from paydispatch.services.looks.verdicts import Reconciled, ReconcileReport, Verdict
from paydispatch.testing.memory_event_log import MemoryEventLog

EVENT = json.loads((Path(__file__).parents[2] / "events/schedule_reconcile.json").read_text())


class Service:
    """A stand-in for `Reconciler` that records its `until`."""

    def __init__(self, *verdicts: Verdict, left: int = 0, away: bool = False) -> None:
        self.until = 0.0
        self._away = away
        reconciled = [Reconciled("w1", f"r{n}", verdict) for n, verdict in enumerate(verdicts)]
        self._report = ReconcileReport(reconciled, left)

    async def reconcile(
        self, worker_ids: Any = None, *, until: float, without: Any = ()
    ) -> ReconcileReport:
        self.until = until
        self.asked = (worker_ids, set(without))
        if self._away:
            raise Unavailable("Redis is unavailable")
        return self._report


async def settle(service: Any, *, left_s: float = 900.0) -> dict[str, Any]:
    context: Any = Context(round(left_s * 1000))
    return await settle_unknowns(EVENT, context, service, MemoryEventLog())


async def test_the_answer_counts_the_verdicts() -> None:
    service = Service(Verdict.CREATED, Verdict.CREATED, Verdict.UNKNOWN, left=3)

    assert await settle(service) == {
        "created": 2,
        "not_created": 0,
        "executed": 0,
        "not_executed": 0,
        "settled_before": 0,
        "unknown": 1,
        "forgotten": 0,
        "left": 3,
    }


async def test_the_last_look_begins_early_enough_to_publish_its_verdict() -> None:
    service = Service()
    await settle(service, left_s=900.0)

    assert service.until == pytest.approx(time.time() + 900.0 - STOPPING_TIME_S, abs=1.0)


async def test_without_redis_the_invocation_fails() -> None:
    with pytest.raises(Unavailable):
        await settle(Service(away=True))


LOOK = LookMessage(account="live acct_1", object="payment_intent", looks=2)
EVENT_OF_STRIPE = EventMessage(
    event_id="evt_1",
    type="payment_intent.succeeded",
    request_id="pdr_1",
    account=None,
    livemode=True,
    created=1.0,
)


class Work:
    """A stand-in for the services of looks and events. `fails` maps a message to the error that it raises."""

    def __init__(self, **fails: Exception) -> None:
        self.done: list[Any] = []
        self.until = 0.0
        self._fails = fails

    async def look(self, message: LookMessage, *, until: float) -> None:
        self.until = until
        self._do(message, message.object)

    async def settle(self, event: EventMessage) -> None:
        self._do(event, event.event_id)

    def _do(self, message: Any, name: str) -> None:
        if name in self._fails:
            raise self._fails[name]
        self.done.append(message)


def handler_with(service: Any, work: Work, log: MemoryEventLog) -> ReconcilerHandler:
    return ReconcilerHandler(
        sweeper=service, looker=work, settler=work, reconciler=service, log=log
    )


async def receive(
    work: Work, *bodies: str, left_s: float = 900.0
) -> tuple[list[str], MemoryEventLog]:
    """Return the ids of the messages that the queue keeps, and the log."""
    log, context = MemoryEventLog(), Context(int(left_s * 1000))
    records = [{"messageId": str(number), "body": body} for number, body in enumerate(bodies)]
    handler = handler_with(Service(), work, log)
    answer = await handler({"Records": records}, context)  # type: ignore[arg-type]
    return [kept["itemIdentifier"] for kept in answer["batchItemFailures"]], log


async def test_a_record_is_a_look_or_an_event() -> None:
    work = Work()
    assert (await receive(work, LOOK.as_json(), EVENT_OF_STRIPE.as_json()))[0] == []
    assert work.done == [LOOK, EVENT_OF_STRIPE]


async def test_a_look_stops_early_enough_to_store_where_it_stopped() -> None:
    work, began_at = Work(), time.time()
    await receive(work, LOOK.as_json(), left_s=LOOK_STOPPING_TIME_S + 5)
    assert began_at + 5 <= work.until <= time.time() + 5


async def test_a_look_gives_its_place_to_events_after_a_while() -> None:
    work, began_at = Work(), time.time()
    await receive(work, LOOK.as_json())
    assert began_at + LOOK_SLICE_S <= work.until <= time.time() + LOOK_SLICE_S


@pytest.mark.parametrize("body", ["", "{", "7", '{"v": 1}', '{"detail": {"id": "evt_2"}}'])
async def test_a_message_that_concerns_no_request_is_acknowledged(body: str) -> None:
    work = Work()
    assert (await receive(work, body))[0] == []
    assert work.done == []


async def test_a_message_without_redis_stays_on_the_queue_and_fails_no_other() -> None:
    work = Work(payment_intent=Unavailable("Redis is unavailable"))
    kept, log = await receive(work, LOOK.as_json(), EVENT_OF_STRIPE.as_json())
    assert kept == ["0"]
    assert work.done == [EVENT_OF_STRIPE]
    assert log.events() == ["look.kept"]


async def test_a_fault_of_ours_keeps_its_message_and_is_counted() -> None:
    kept, log = await receive(Work(evt_1=RuntimeError("a fault")), EVENT_OF_STRIPE.as_json())
    assert kept == ["0"]
    assert log.events() == ["look.failed"]


async def test_a_schedule_still_sweeps() -> None:
    handler = handler_with(Service(Verdict.CREATED), Work(), MemoryEventLog())
    counts = await handler(EVENT, Context(900_000))  # type: ignore[arg-type]
    assert counts["created"] == 1


async def test_an_operator_s_run_returns_its_report_and_where_the_next_one_goes_on() -> None:
    service, began_at = Service(Verdict.CREATED, Verdict.UNKNOWN, left=3), time.time()
    handler = handler_with(service, Work(), MemoryEventLog())
    event = {
        "command": "reconcile",
        "arguments": {"worker_ids": ["w1"], "cursor": [["w1", "r7"]]},
    }

    said = await handler(event, Context())  # type: ignore[arg-type]

    assert service.asked == (["w1"], {("w1", "r7")})
    assert began_at + OPERATOR_SLICE_S <= service.until <= time.time() + OPERATOR_SLICE_S
    assert [one["verdict"] for one in said["requests"]] == ["created", "unknown"]
    assert (said["left"], said["counts"]["created"]) == (3, 1)
    assert said["cursor"] == [["w1", "r0"], ["w1", "r1"], ["w1", "r7"]]


@pytest.mark.parametrize(("verdicts", "left"), [([Verdict.CREATED], 0), ([], 3)])
async def test_a_run_that_is_done_or_came_no_further_has_no_cursor(
    verdicts: list[Verdict], left: int
) -> None:
    handler = handler_with(Service(*verdicts, left=left), Work(), MemoryEventLog())

    said = await handler({"command": "reconcile", "arguments": {}}, Context())  # type: ignore[arg-type]

    assert "cursor" not in said
