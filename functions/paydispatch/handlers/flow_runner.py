"""Translate doorbell messages or a schedule into one service call, and its result into a partial batch response."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import Unavailable
from paydispatch.services.refuse_events import is_schedule, queue_messages, refuse_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from paydispatch.ports import EventLog
    from paydispatch.services.serve_flows import FlowServer

STOPPING_TIME_S = 5.0
"""The time at the end of an invocation, beside one flow's timeout, in which no flow is started."""


async def answer_doorbells(
    event: Mapping[str, Any], context: LambdaContext, server: FlowServer, log: EventLog
) -> dict[str, Any]:
    """Run the flows of the workers that the doorbell messages name. On a schedule, run those of all workers.

    Raises `UnexpectedEvent`.
    """
    records = [] if is_schedule(event) else queue_messages(event)
    if records is None:
        raise refuse_event(event, takes="doorbells from an SQS queue, or a schedule", log=log)
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000
    until = ends_at - server.longest_run_s - STOPPING_TIME_S
    rung = {record["messageId"]: _worker_id(record) for record in records}
    workers = {worker_id for worker_id in rung.values() if worker_id} if records else None
    try:
        await server.drain_all(workers, until=until)
    except Unavailable:
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in rung]}
    return {"batchItemFailures": []}


def _worker_id(record: Mapping[str, Any]) -> str | None:
    """Return the worker that a doorbell message names. None: drop the message, as the next sweep finds the outcome."""
    try:
        worker_id = json.loads(record["body"])["worker_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return worker_id if isinstance(worker_id, str) else None
