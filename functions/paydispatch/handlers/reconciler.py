"""Translate an event of the schedule into one service call, and its report into counts."""

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
"""The time at the end of an invocation for the last request: its look through Stripe's lists, and its publish."""


async def settle_unknowns(
    event: Mapping[str, Any], context: LambdaContext, service: Reconciler, log: EventLog
) -> dict[str, Any]:
    """Settle unknown outcomes until the invocation's time is up, and return the counts.

    Raises `Unavailable` without Redis. The invocation then counts as failed, and that of the next hour tries again.
    Raises `UnexpectedEvent` for an event of another kind.
    """
    if not is_schedule(event):
        raise refuse_event(event, takes="a schedule of EventBridge", log=log)
    ends_at = time.time() + context.get_remaining_time_in_millis() / 1000
    report = await service.reconcile(until=ends_at - STOPPING_TIME_S)
    return {**report.counts, "left": report.left}
