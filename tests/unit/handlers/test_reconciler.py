"""A schedule's event in, counts out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.handlers.conftest import Context

from paydispatch.domain.errors import Unavailable
from paydispatch.handlers.reconciler import STOPPING_TIME_S, settle_unknowns
from paydispatch.services.reconcile import Reconciled, ReconcileReport, Verdict
from paydispatch.testing.memory_event_log import MemoryEventLog

EVENT = json.loads((Path(__file__).parents[2] / "events/schedule_reconcile.json").read_text())


class Service:
    """A stand-in for `Reconciler` that records its `until`."""

    def __init__(self, *verdicts: Verdict, left: int = 0, away: bool = False) -> None:
        self.until = 0.0
        self._away = away
        reconciled = [Reconciled("w1", f"r{n}", verdict) for n, verdict in enumerate(verdicts)]
        self._report = ReconcileReport(reconciled, left)

    async def reconcile(self, *, until: float) -> ReconcileReport:
        self.until = until
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
