"""The request's slot in memory, with the rules of the Lua scripts, for the caller and for the API."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from paydispatch.domain.claims import (
    FINAL_STATUSES,
    Claim,
    Disputed,
    Go,
    NoSend,
    SendEnd,
    SlotState,
)
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.limits import HORIZON_S, REMEMBER_S
from paydispatch.domain.looks.noted_doubts import NotedDoubt
from paydispatch.domain.operators.traces import MOST_LATER_SENDS, LaterSend
from paydispatch.domain.outcomes import Error, Response
from paydispatch.domain.stripe.repeats import Repeat
from paydispatch.ports import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.domain.claims import Send
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.domain.rates.waiting import Waiting
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.ports import Clock
    from paydispatch.testing.memory_outcomes import MemoryOutcomes


@dataclass
class Slot:
    """The slot of one request."""

    claim: Claim
    status: str | None = None
    queued: bool = False
    closed: Error | None = None
    answered: bool = False
    maybe_executed: bool = False
    first_sent_at: float | None = None
    last_sent_at: float | None = None
    started_by: str | None = None
    """The token of the first send, which set `first_sent_at`. None after another send began."""
    account: AccountBinding | None = None
    repeats: int = 0
    sends: set[str] = field(default_factory=set)
    """The tokens of open sends."""
    message: str | None = None
    """The queue message, once the request was in doubt. It is dropped with the final status."""
    event: EventMessage | None = None
    """An event that came before the message was kept."""
    attempts: int = 0
    retry_at: float | None = None
    waiting: Waiting | None = None
    outcome: Response | Error | None = None
    queued_at: float | None = None
    received_at: float | None = None
    later_sends: tuple[LaterSend, ...] = ()
    unknown_at: float | None = None
    settled_at: float | None = None

    @property
    def final(self) -> bool:
        return self.status in ("succeeded", "failed")

    def is_in_doubt_besides(self, token: str) -> bool:
        """Return whether another send than `token` may have had an effect."""
        return self.maybe_executed or bool(self.sends - {token})

    def write(self, status: str) -> bool:
        if self.final:
            return False
        self.status = status
        if status in FINAL_STATUSES:
            self.message = self.event = None
        return True


class MemorySlots:
    """Every slot by its name. The twins for the caller and the API share it."""

    def __init__(self) -> None:
        self.slots: dict[str, Slot] = {}
        self.doubt_tenants: dict[str, float] = {}
        """{tenant: unix seconds of its newest doubt}"""
        self.metadata_unset: dict[str, float] = {}
        """Unix seconds by the name of an account."""
        self.away = False

    def claim(self, claim: Claim, *, queued: bool) -> SlotState:
        self.reach()
        existed = claim.slot in self.slots
        slot = self.slots.setdefault(claim.slot, Slot(claim))
        if slot.claim.fingerprint != claim.fingerprint:
            return SlotState(owned=False)
        if not existed and claim.older_than_memory:
            slot.maybe_executed, slot.first_sent_at = True, claim.accepted_at
        slot.maybe_executed |= claim.maybe_executed
        _lower_first_send(slot, claim.first_sent_at)
        state = _state(slot, existed=existed)
        slot.queued |= queued
        return state

    def count_repeat(self, first: Claim, ended: int) -> int:
        slot = self.find_own(first)
        if slot is None:
            return ended
        slot.repeats += slot.repeats == ended
        return slot.repeats

    def find_own(self, claim: Claim) -> Slot | None:
        """Return the slot if it belongs to this claim's request."""
        self.reach()
        slot = self.slots.get(claim.slot)
        return slot if slot and slot.claim.fingerprint == claim.fingerprint else None

    def reach(self) -> None:
        if self.away:
            raise Unavailable("Redis is unavailable")


def _lower_first_send(slot: Slot, first_sent_at: float | None) -> None:
    if first_sent_at is None:
        return
    if slot.first_sent_at is None or first_sent_at < slot.first_sent_at:
        slot.first_sent_at, slot.started_by = first_sent_at, None


def _state(slot: Slot, *, existed: bool) -> SlotState:
    return SlotState(
        owned=True,
        existed=existed,
        queued=slot.queued,
        principal=slot.claim.principal,
        seal=slot.claim.seal,
        status=slot.status,
        closed=slot.closed,
        answered=slot.answered,
        maybe_executed=slot.maybe_executed,
        first_sent_at=slot.first_sent_at,
        last_sent_at=slot.last_sent_at,
        open_sends=len(slot.sends),
        account=slot.account,
        repeats=slot.repeats,
        repeat_of=slot.claim.repeat_of,
    )


class MemoryRequests:
    """A `RequestSlots`. It needs `outcomes`, because `send` also reads the seen-mark in the worker's slot."""

    def __init__(
        self,
        clock: Clock,
        outcomes: MemoryOutcomes,
        slots: MemorySlots | None = None,
        *,
        queue_tenant: str = "local",
    ) -> None:
        self._clock = clock
        self._outcomes = outcomes
        self._queue_tenant = queue_tenant
        self.store = slots or MemorySlots()

    @property
    def away(self) -> bool:
        return self.store.away

    @away.setter
    def away(self, away: bool) -> None:
        self.store.away = away

    def slot(self, name: str) -> Slot:
        return self.store.slots[name]

    def status(self, name: str) -> str | None:
        slot = self.store.slots.get(name)
        return slot.status if slot else None

    async def claim(self, claim: Claim) -> SlotState:
        state = self.store.claim(claim, queued=True)
        slot = self.store.find_own(claim)
        if slot is not None and slot.received_at is None:
            slot.received_at = self._clock.now_s()
        return state

    async def find(self, claim: Claim) -> SlotState | None:
        slot = self.store.find_own(claim)
        if slot is not None:
            return _state(slot, existed=True)
        return SlotState(owned=False) if claim.slot in self.store.slots else None

    async def send(self, claim: Claim, send: Send) -> Go | NoSend:
        slot, now_s = self.store.find_own(claim), self._clock.now_s()
        self._outcomes.note_open(claim)
        if slot is None:
            return NoSend.NOT_OWNED
        refusal = _refuse_send(slot, send, now_s)
        if refusal is None:
            self._open_send(slot, send, now_s)
        mark = self._outcomes.marks.get((claim.worker_slot, claim.request_id))
        if mark == "settled":
            return NoSend.PUBLISHED
        if refusal is None and mark and send.rule is not Repeat.KEYED:
            return NoSend.TOLD
        return refusal or Go(now_s, slot.first_sent_at or now_s)

    def _open_send(self, slot: Slot, send: Send, now_s: float) -> None:
        slot.account = _bind(slot.account, send.account)
        if slot.first_sent_at is None:
            slot.first_sent_at, slot.started_by = now_s, send.token
        elif send.token not in slot.sends:
            slot.started_by = None
            if len(slot.later_sends) < MOST_LATER_SENDS:
                slot.later_sends += (LaterSend(send.attempt, now_s),)
        slot.last_sent_at, slot.attempts, slot.status = now_s, send.attempt, "calling"
        slot.sends.add(send.token)

    async def end_send(self, claim: Claim, token: str, end: SendEnd) -> None:
        slot = self.store.find_own(claim)
        if slot is None:
            return
        if end is SendEnd.UNKNOWN:
            slot.maybe_executed = True
            return
        slot.sends.discard(token)
        if end is SendEnd.NOT_CONNECTED and slot.started_by == token:
            slot.first_sent_at = slot.last_sent_at = slot.started_by = None

    async def keep_message(self, claim: Claim, message: str) -> EventMessage | None:
        slot = self.store.find_own(claim)
        if claim.tenant != self._queue_tenant:
            self._note_doubt_of(claim.tenant)
        if slot is None or slot.final:
            return None
        event, slot.event, slot.message = slot.event, None, message
        return event

    def _note_doubt_of(self, tenant: str) -> None:
        now_s, noted = self._clock.now_s(), self.store.doubt_tenants
        noted[tenant] = now_s
        for old in [one for one, at in noted.items() if at <= now_s - REMEMBER_S]:
            del noted[old]

    async def keep_event(self, slot: str, event: EventMessage) -> bool:
        self.store.reach()
        found = self.store.slots.get(slot)
        if found is None or found.final or found.message is not None:
            return False
        found.event = event
        return True

    async def find_doubt(self, slot: str) -> NotedDoubt | None:
        self.store.reach()
        found = self.store.slots.get(slot)
        if found is None:
            return None
        return NotedDoubt(
            request_id=found.claim.request_id,
            worker_slot=found.claim.worker_slot,
            fingerprint=found.claim.fingerprint,
            operation=found.claim.operation,
            status=found.status,
            message=found.message,
            account=found.account,
            first_sent_at=found.first_sent_at,
            last_sent_at=found.last_sent_at,
        )

    async def tenants_in_doubt(self) -> Sequence[str]:
        self.store.reach()
        return sorted(self.store.doubt_tenants)

    async def close(self, claim: Claim, error: Error, *, token: str = "") -> Error | Disputed:
        slot = self.store.find_own(claim)
        if slot is None:
            return Disputed.MAYBE_EXECUTED
        if slot.final:
            return Disputed.PUBLISHED
        if slot.closed is None:
            if slot.is_in_doubt_besides(token):
                return Disputed.MAYBE_EXECUTED
            slot.closed = error
            slot.sends.discard(token)
        return slot.closed

    async def mark_retrying(
        self, claim: Claim, retry_at: float, *, attempts: int, waiting: Waiting | None = None
    ) -> None:
        slot = self.store.find_own(claim)
        if slot is not None and slot.write("retrying"):
            slot.attempts, slot.retry_at, slot.waiting = attempts, retry_at, waiting
        self._outcomes.note_open(claim)

    async def write_status(self, entry: OutcomeEntry) -> None:
        self.store.reach()
        slot = self._slot_of(entry)
        if slot is not None and slot.write(_status(entry.outcome)):
            slot.outcome, slot.attempts = entry.outcome, entry.outcome.attempts
            slot.answered, slot.settled_at = entry.outcome.answered, entry.settled_at
            if slot.status == "unknown":
                slot.unknown_at = entry.settled_at

    def _slot_of(self, entry: OutcomeEntry) -> Slot | None:
        """Return the slot of a published entry, and make it if it is empty. None: it belongs to another request."""
        claim = _claim_of(entry, self._queue_tenant)
        if entry.fingerprint is None:  # an older release wrote it
            return self.store.slots.get(claim.slot)
        slot = self.store.slots.setdefault(claim.slot, Slot(claim))
        return slot if slot.claim.fingerprint == claim.fingerprint else None

    async def note_unset_metadata(self, account: AccountBinding) -> None:
        self.store.reach()
        self.store.metadata_unset |= dict.fromkeys(account.names, self._clock.now_s())

    async def accept_account(self, claim: Claim, account: AccountBinding) -> None:
        slot = self.store.find_own(claim)
        if slot is not None and not slot.final:
            slot.account = account


def _claim_of(entry: OutcomeEntry, queue_tenant: str) -> Claim:
    """Return the claim of the request, with the fields that its published entry holds."""
    tenant = entry.tenant or queue_tenant
    return Claim(
        slot=slot_name(tenant, entry.request_id, queue_tenant),
        worker_slot=slot_name(tenant, entry.worker_id, queue_tenant),
        request_id=entry.request_id,
        fingerprint=entry.fingerprint or "",
        tenant=tenant,
        principal=entry.principal or "",
        worker_id=entry.worker_id,
        context_id=entry.context_id,
        operation=entry.operation,
        object=entry.object,
        accepted_at=entry.accepted_at or entry.settled_at,
    )


def _refuse_send(slot: Slot, send: Send, now_s: float) -> NoSend | None:
    if slot.final:
        return NoSend.PUBLISHED
    if slot.closed is not None:
        return NoSend.CLOSED
    if slot.first_sent_at is not None and now_s - slot.first_sent_at >= HORIZON_S:
        return NoSend.PAST_HORIZON
    if send.rule is Repeat.UNTIL_DOUBT and slot.is_in_doubt_besides(send.token):
        return NoSend.IN_DOUBT
    moved = slot.account is not None and not slot.account.same_as(send.account)
    return NoSend.OTHER_ACCOUNT if moved and slot.is_in_doubt_besides(send.token) else None


def _bind(before: AccountBinding | None, now: AccountBinding) -> AccountBinding:
    """Return the binding after a send. It keeps a known account id if the new key may not ask for it."""
    keeps_id = before is not None and before.same_as(now) and now.account_id is None
    return replace(now, account_id=before.account_id) if before and keeps_id else now


def _status(outcome: Response | Error) -> str:
    if isinstance(outcome, Response):
        return "succeeded"
    return "failed" if outcome.settled else "unknown"


class MemoryRequestStore:
    """A `RequestStore` over the slots."""

    def __init__(self, slots: MemorySlots | None = None, clock: Clock | None = None) -> None:
        """Without a clock, the slots keep no time at which SQS had confirmed a message."""
        self.store = slots or MemorySlots()
        self._clock = clock

    @property
    def away(self) -> bool:
        return self.store.away

    @away.setter
    def away(self, away: bool) -> None:
        self.store.away = away

    def claim(self, claims: Sequence[Claim]) -> Sequence[SlotState]:
        return [self.store.claim(claim, queued=False) for claim in claims]

    def count_repeats(self, ended: Sequence[tuple[Claim, int]]) -> Sequence[int]:
        return [self.store.count_repeat(first, number) for first, number in ended]

    def mark_queued(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self.store.claim(claim, queued=True)
            slot = self.store.find_own(claim)
            if slot is not None and slot.queued_at is None and self._clock is not None:
                slot.queued_at = self._clock.now_s()

    def get(self, slot: str) -> RequestRecord | None:
        self.store.reach()
        found = self.store.slots.get(slot)
        if found is None or not (found.queued or found.status):
            return None
        return make_record(found)

    def check(self) -> None:
        self.store.reach()


def make_record(slot: Slot) -> RequestRecord:
    """Return the status that a slot holds."""
    claim, status = slot.claim, slot.status or "dispatched"
    return RequestRecord(
        request_id=claim.request_id,
        tenant=claim.tenant,
        object=claim.object,
        operation=claim.operation,
        worker_id=claim.worker_id,
        context_id=claim.context_id,
        status=status,
        attempts=slot.attempts,
        parsed_data=slot.outcome.body if isinstance(slot.outcome, Response) else None,
        parsed_error=slot.outcome.as_dict() if isinstance(slot.outcome, Error) else None,
        retry_at=slot.retry_at if status == "retrying" else None,
        waiting=slot.waiting if status == "retrying" else None,
        account=None if slot.account is None else slot.account.rate_account,
        fingerprint=claim.fingerprint,
    )
