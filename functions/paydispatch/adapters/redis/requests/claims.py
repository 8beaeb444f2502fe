"""The commands and answers of the request slot's scripts, for both clients of the slot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import call_script
from paydispatch.domain.claims import SlotState
from paydispatch.domain.identity.slots import bare_name, beside
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.domain.looks.messages import EventMessage, read_look_message
from paydispatch.domain.looks.noted_doubts import NotedDoubt
from paydispatch.domain.outcomes import Error
from paydispatch.domain.stripe.accounts import AccountBinding

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.adapters.redis.scripts import Command
    from paydispatch.domain.claims import Claim

SLOT_FIELDS = (
    "status",
    "closed",
    "answered",
    "maybe_executed",
    "first_sent_at",
    "last_sent_at",
    "account",
    "queued",
    "principal",
    "seal",
    "repeats",
    "repeat_of",
)
"""The fields that `claim.lua` returns, in its order."""

DOUBT_FIELDS = (
    "fingerprint",
    "worker_id",
    "operation",
    "status",
    "message",
    "account",
    "first_sent_at",
    "last_sent_at",
)
"""The fields that an event is checked against."""


def slot_keys(claim: Claim) -> list[str]:
    return [keys.request(claim.slot), keys.sends(claim.slot)]


def claim_command(claim: Claim, queued: tuple[str, float] | None) -> Command:
    """Return the command that makes a claim.

    `queued`: SQS is known to have accepted the request. The slot keeps the first time (unix s) in this field.
    """
    queued_field, queued_at = queued or ("", 0.0)
    written = {
        "tenant": claim.tenant,
        "principal": claim.principal,
        "seal": claim.seal or "",
        "worker": claim.worker_slot,
        "worker_id": claim.worker_id,
        "context_id": claim.context_id,
        "operation": claim.operation,
        "object": claim.object,
        "accepted_at": claim.accepted_at,
    }
    if claim.repeat_of is not None:
        written["repeat_of"] = claim.repeat_of
    return call_script(
        "claim",
        slot_keys(claim),
        REMEMBER_S,
        claim.fingerprint,
        _flag(claim.maybe_executed),
        "" if claim.first_sent_at is None else claim.first_sent_at,
        queued_field,
        claim.accepted_at if claim.older_than_memory else "",
        queued_at,
        *flat(written),
    )


def again_command(first: Claim, ended: int) -> Command:
    """Return the command that counts the repeat after the one with the number `ended`."""
    return call_script("again", slot_keys(first), REMEMBER_S, first.fingerprint, ended)


def read_state(answer: Sequence[Any]) -> SlotState:
    """Return the slot's state from the answer of `claim.lua`."""
    owned, *rest = answer
    if not owned:
        return SlotState(owned=False)
    existed, open_sends, *fields = rest
    return slot_state(
        dict(zip(SLOT_FIELDS, fields, strict=True)), existed=bool(existed), open_sends=open_sends
    )


def slot_state(fields: dict[str, Any], *, existed: bool, open_sends: int) -> SlotState:
    return SlotState(
        owned=True,
        existed=existed,
        queued=fields["queued"] == "1",
        principal=fields["principal"],
        seal=fields["seal"] or None,
        status=fields["status"],
        closed=read_error(fields["closed"]),
        answered=fields["answered"] == "1",
        maybe_executed=fields["maybe_executed"] == "1",
        first_sent_at=read_seconds(fields["first_sent_at"]),
        last_sent_at=read_seconds(fields["last_sent_at"]),
        open_sends=int(open_sends),
        account=read_account(fields["account"]),
        repeats=int(fields["repeats"] or 0),
        repeat_of=fields["repeat_of"],
    )


def read_doubt(slot: str, fields: Mapping[str, Any]) -> NotedDoubt | None:
    """Return the doubt of the request in this slot. None: there is no claim on it."""
    if fields["fingerprint"] is None:
        return None
    return NotedDoubt(
        request_id=bare_name(slot),
        worker_slot=beside(slot, fields["worker_id"]),
        fingerprint=fields["fingerprint"],
        operation=fields["operation"] or "",  # an older release wrote none
        status=fields["status"],
        message=fields["message"],
        account=read_account(fields["account"]),
        first_sent_at=read_seconds(fields["first_sent_at"]),
        last_sent_at=read_seconds(fields["last_sent_at"]),
    )


def read_event(text: str | None) -> EventMessage | None:
    event = None if text is None else read_look_message(text)
    return event if isinstance(event, EventMessage) else None


def read_error(text: str | None) -> Error | None:
    return None if text is None else Error.from_dict(json.loads(text))


def flat(fields: Mapping[str, Any]) -> list[Any]:
    return [part for pair in fields.items() for part in pair]


def read_account(text: str | None) -> AccountBinding | None:
    return None if text is None else AccountBinding.from_dict(json.loads(text))


def read_seconds(text: str | None) -> float | None:
    return None if text is None else float(text)


def _flag(value: bool) -> str:
    return "1" if value else ""
