"""A schedule's event in, one service call, counts out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from paydispatch.services.refuse_events import is_schedule, refuse_event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from paydispatch.ports import EventLog
    from paydispatch.services.reconcile import Reconciler

STOPPING_TIME_S = 70.0
"""Kept back at the end of an invocation: one request's look through Stripe's lists, and its publish."""


async def settle_unknowns(
    event: Mapping[str, Any], context: LambdaContext, service: Reconciler, log: EventLog
) -> dict[str, Any]:
    """Raises `Unavailable` without Redis: the invocation counts as failed, and the next hour's tries again.

    Raises `UnexpectedEvent` for anything but a schedule.
    """
    if not is_schedule(event):
        raise refuse_event(event, takes="a schedule of EventBridge", log=log)
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000
    report = await service.reconcile(until=ends_at - STOPPING_TIME_S)
    return {**report.counts, "left": report.left}
