"""Prints the parked messages for `paydispatch dlq`, without their keys."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import format_age
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import complain, say, say_json

if TYPE_CHECKING:
    from paydispatch.domain.operators.redrive import Plan
    from paydispatch.services.redrive import Walk
    from paydispatch.services.redrive_message import Examined

BODY_SHOWN = 2_000
"""The number of characters that are printed of a message that is not an envelope."""


def show_walk(walk: Walk, limit: int, *, as_json: bool) -> None:
    """Print the messages. Print a note on stderr if the walk stopped before the end of the queue."""
    shown = [_in_short(one) for one in walk.examined]
    if as_json:
        say_json({"messages": shown, "may_be_more": walk.may_be_more})
    else:
        _show_table(shown)
    if walk.may_be_more:
        complain(_stop_note(len(shown), limit))


def _stop_note(count: int, limit: int) -> str:
    hint = " (--limit)" if count >= limit else ""
    return f"Stopped after {count}. There may be more{hint}."


def show_one(one: Examined) -> None:
    say_json(_in_full(one), indent=2)


def _show_table(shown: list[dict[str, Any]]) -> None:
    if not shown:
        say("The dead-letter queue has no such message.")
        return
    show_table(list(shown[0]), ([_cell(value) for value in row.values()] for row in shown))


def _cell(value: Any) -> str:
    return format_age(value) if isinstance(value, float) else str(value or "")


def _in_short(one: Examined) -> dict[str, Any]:
    from paydispatch.domain.message.read_message import Malformed
    from paydispatch.domain.operators.redrive import PARKED_BY_SQS

    named = one.read.address if isinstance(one.read, Malformed) else one.read
    return {
        "id": named.request_id if named else one.parked.message_id,
        "object": named.object if named else None,
        "operation": named.operation if named else None,
        "worker_id": named.worker_id if named else None,
        "account": getattr(named, "stripe_account", None),
        "age_s": round(time.time() - one.parked.sent_at, 1),
        "kind": one.parked.kind,
        "reason": one.parked.reason or PARKED_BY_SQS,
        "status": one.status or "not known",
        "redrive": _describe(one.plan),
        "action": one.action.value,
    }


def _describe(plan: Plan) -> str:
    from paydispatch.domain.operators.redrive import (
        AlreadySettled,
        GoesToReconcile,
        LacksErrorFlow,
        NotExamined,
        NotProven,
        SendBack,
        Unreadable,
        why_not_again,
    )

    match plan:
        case SendBack(envelope):
            return f"goes back to the {envelope.lane.value} queue"
        case GoesToReconcile(envelope):
            return f"goes to reconcile: {why_not_again(envelope)[1]}"
        case AlreadySettled(status):
            return f"stays: settled ({status}), so its flow has run or will run"
        case LacksErrorFlow(malformed, _):
            return f"its error flow, which has not run, is started: {malformed.message}"
        case Unreadable(_, message):
            return f"stays: {message}"
        case NotProven(why):
            return f"stays: {why}"
        case NotExamined(why):
            return f"stays: its examination failed ({why})"


def _in_full(one: Examined) -> dict[str, Any]:
    return {**_in_short(one), "message_id": one.parked.message_id, "envelope": _envelope(one)}


def _envelope(one: Examined) -> Any:
    """Return the fields of the message without the sealed key.

    Return the text of a message that is not an envelope, with every Stripe key redacted.
    """
    from paydispatch.domain.credentials import redact
    from paydispatch.domain.message.read_message import Malformed

    if isinstance(one.read, Malformed):
        return redact(one.parked.body)[:BODY_SHOWN]
    fields = json.loads(one.read.as_message())
    return fields | {"sealed_secret": "(sealed)"} if "sealed_secret" in fields else fields
