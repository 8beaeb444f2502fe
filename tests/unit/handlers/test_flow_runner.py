"""Doorbells or a schedule in, partial batch response out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.unit.handlers.conftest import Context

from paydispatch.domain.errors import Unavailable
from paydispatch.handlers.flow_runner import STOPPING_TIME_S, answer_doorbells
from paydispatch.testing.memory_event_log import MemoryEventLog

EVENTS = Path(__file__).parents[2] / "events"


class Server:
    """A stand-in for `FlowServer` that records the workers it was asked to drain."""

    longest_run_s = 30.0

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.asked: list[Any] = []
        self.until = 0.0

    async def drain_all(self, worker_ids: Any, *, until: float) -> int:
        self.asked.append(worker_ids)
        self.until = until
        if self.away:
            raise Unavailable("Redis is unavailable")
        return 0


async def handle(event: dict[str, Any], server: Any, left_ms: int = 60_000) -> Any:
    context: Any = Context(left_ms)
    return await answer_doorbells(event, context, server, MemoryEventLog())


def doorbells(*bodies: str) -> dict[str, Any]:
    records = [{"messageId": f"m-{n}", "body": body} for n, body in enumerate(bodies, 1)]
    return {"Records": records}


async def test_each_worker_with_a_doorbell_is_drained_once() -> None:
    server = Server()
    event = doorbells('{"worker_id": "w-1"}', '{"worker_id": "w-2"}', '{"worker_id": "w-1"}')
    assert await handle(event, server) == {"batchItemFailures": []}
    assert server.asked == [{"w-1", "w-2"}]


async def test_the_schedule_drains_all_workers() -> None:
    server = Server()
    event = json.loads((EVENTS / "schedule_sweep.json").read_text())
    assert await handle(event, server) == {"batchItemFailures": []}
    assert server.asked == [None]


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"worker_id": 7}', '"w-1"', "null"])
async def test_a_doorbell_without_a_worker_is_dropped(body: str) -> None:
    server = Server()
    assert await handle(doorbells(body), server) == {"batchItemFailures": []}
    assert server.asked == [set()]


async def test_without_redis_every_doorbell_message_is_kept() -> None:
    answer = await handle(doorbells('{"worker_id": "w-1"}', "{"), Server(away=True))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}, {"itemIdentifier": "m-2"}]}


async def test_no_run_begins_that_could_not_end_in_time() -> None:
    server = Server()
    await handle(doorbells('{"worker_id": "w-1"}'), server, left_ms=60_000)
    left_s = server.until - time.time()
    assert left_s == pytest.approx(60 - 30 - STOPPING_TIME_S, abs=1)
