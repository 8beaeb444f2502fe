"""Describe parked messages for operators, without their keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.domain.credentials import redact
from paydispatch.domain.message.read_message import Malformed
from paydispatch.domain.operators.redrive import (
    PARKED_BY_SQS,
    AlreadySettled,
    GoesToReconcile,
    LacksErrorFlow,
    NotExamined,
    NotProven,
    SendBack,
    Unreadable,
    why_not_again,
)

if TYPE_CHECKING:
    from paydispatch.domain.operators.redrive import Plan
    from paydispatch.services.redrive_message import Examined

BODY_SHOWN = 2_000
"""The number of characters that are shown of a message that is not an envelope."""

REASON_SHOWN, PLAN_SHOWN = 200, 1_000
"""The same of a reason and of a plan. A producer may write anything there, and many of them must fit into an answer."""


def in_short(one: Examined, now_s: float) -> dict[str, Any]:
    named = one.read.address if isinstance(one.read, Malformed) else one.read
    return {
        "id": named.request_id if named else one.parked.message_id,
        "object": named.object if named else None,
        "operation": named.operation if named else None,
        "worker_id": named.worker_id if named else None,
        "account": getattr(named, "stripe_account", None),
        "age_s": round(now_s - one.parked.sent_at, 1),
        "kind": one.parked.kind and one.parked.kind[:REASON_SHOWN],
        "reason": (one.parked.reason or PARKED_BY_SQS)[:REASON_SHOWN],
        "status": one.status or "not known",
        "redrive": _describe(one.plan)[:PLAN_SHOWN],
        "action": one.action.value,
    }


def in_full(one: Examined, now_s: float) -> dict[str, Any]:
    shown = in_short(one, now_s)
    return {**shown, "message_id": one.parked.message_id, "envelope": _envelope(one)}


def _describe(plan: Plan) -> str:
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


def _envelope(one: Examined) -> Any:
    """Return the fields of the message without the sealed key.

    Return the text of a message that is not an envelope, with every Stripe key redacted.
    """
    if isinstance(one.read, Malformed):
        return redact(one.parked.body)[:BODY_SHOWN]
    fields = json.loads(one.read.as_message())
    return fields | {"sealed_secret": "(sealed)"} if "sealed_secret" in fields else fields
