"""Translate an event into service calls: a schedule sweeps, messages of the look queue look or settle, and the
operator's function asks for one run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.looks.messages import LookMessage, read_look_message
from paydispatch.services.operate.arguments import Arguments
from paydispatch.services.operate.ports import plain
from paydispatch.services.operate.reconciling import RECONCILE, reconcile_once
from paydispatch.services.refuse_events import is_schedule, queue_messages, refuse_event

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.ports import EventLog
    from paydispatch.services.looks.verdicts import ReconcileReport
    from paydispatch.services.reconcile import Reconciler

    Event = Mapping[str, Any]

STOPPING_TIME_S = 70.0
"""The time at the end of an invocation for the last request: its look through Stripe's lists, and its publish."""

LOOK_STOPPING_TIME_S = 15.0
"""The same for a look, which stores where it stopped after each page."""

LOOK_SLICE_S = 20.0
"""The time after which a look goes on in another invocation. AWS runs a few reconcilers at once, and events come by the
same queue. So an event waits for a look this long at most, and not for 15 minutes."""


OPERATOR_SLICE_S = 120.0
"""The time of one run for an operator, after which no further lookup begins. With the last lookup it fits into the
300 s of the operator's function."""


class Sweeper(Protocol):
    async def reconcile(self, *, until: float) -> ReconcileReport: ...


class Looker(Protocol):
    async def look(self, message: LookMessage, *, until: float) -> None:
        """Look for all unknown requests of the message's account and object. Raises `Unavailable`."""
        ...


class EventSettler(Protocol):
    async def settle(self, event: EventMessage) -> None:
        """Settle the request that the event names, if the event proves it. Raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcilerHandler:
    """Dispatches each record to a look or to an event."""

    sweeper: Sweeper
    looker: Looker
    settler: EventSettler
    reconciler: Reconciler
    log: EventLog

    async def __call__(self, event: Event, context: LambdaContext) -> dict[str, Any]:
        """Return the counts of a sweep, the ids of the messages that SQS must keep, or an operator's document.

        Raises `UnexpectedEvent` for an event of another kind.
        """
        if _is_an_operator_s(event):
            until = time.time() + OPERATOR_SLICE_S
            asked = Arguments(event["arguments"])
            return plain(await reconcile_once(self.reconciler, asked, until=until))
        records = queue_messages(event)
        if records is None:
            return await settle_unknowns(event, context, self.sweeper, self.log)
        until = min(_ends_at(context) - LOOK_STOPPING_TIME_S, time.time() + LOOK_SLICE_S)
        done = await asyncio.gather(*(self._work_on(record, until) for record in records))
        kept = [record["messageId"] for record, ok in zip(records, done, strict=True) if not ok]
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in kept]}

    async def _work_on(self, record: Event, until: float) -> bool:
        """Return whether the message may be acknowledged. A message that concerns no request of ours may."""
        try:
            message = read_look_message(record["body"])
            if isinstance(message, LookMessage):
                await self.looker.look(message, until=until)
            elif message is not None:
                await self.settler.settle(message)
        except Unavailable as error:
            self.log.warning("look.kept", message_id=record["messageId"], why=str(error))
            return False
        except Exception:  # a fault of paydispatch itself must not fail the other messages
            self.log.warning("look.failed", message_id=record["messageId"])
            self.log.count("LookFailed")
            return False
        return True


def _is_an_operator_s(event: object) -> TypeGuard[Mapping[str, Any]]:
    """Return whether the operator's function sent the event, or an operator who may invoke this one."""
    return (
        isinstance(event, Mapping)
        and event.get("command") == RECONCILE
        and isinstance(event.get("arguments"), Mapping)
    )


async def settle_unknowns(
    event: Event, context: LambdaContext, service: Sweeper, log: EventLog
) -> dict[str, Any]:
    """Settle unknown outcomes until the invocation's time is up, and return the counts.

    Raises `Unavailable` without Redis. The invocation then counts as failed, and that of the next hour tries again.
    Raises `UnexpectedEvent` for an event of another kind.
    """
    if not is_schedule(event):
        takes = "a schedule of EventBridge, or messages of the look queue"
        raise refuse_event(event, takes=takes, log=log)
    report = await service.reconcile(until=_ends_at(context) - STOPPING_TIME_S)
    return {**report.counts, "left": report.left}


def _ends_at(context: LambdaContext) -> float:
    return time.time() + context.get_remaining_time_in_millis() / 1000
