"""An in-memory twin of every port, with the rules of the real one. Tests use the twins instead of patches."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paydispatch.domain.credentials import StripeKey
from paydispatch.domain.errors import CannotOpen, MaybeAccepted, MissingFlow, Unavailable
from paydispatch.domain.identity.principal import QUEUE, tenant_of
from paydispatch.domain.identity.request_ids import new_request_id, request_id_for_key
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.message.new_envelope import new_envelope
from paydispatch.domain.operators.diagnosis import open_since
from paydispatch.domain.parameters.check import require_valid_params
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.domain.sweep import WorkerLook, has_work, next_look_at
from paydispatch.flow import script_end
from paydispatch.ports import Swept, Turn
from paydispatch.sdk.delivery import PreparedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from paydispatch.domain.attempts import Attempt, RefusedInFront
    from paydispatch.domain.claims import Claim
    from paydispatch.domain.credentials import Binding, Credential
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.errors import PaydispatchError
    from paydispatch.domain.outcomes import ErrorKind
    from paydispatch.domain.requests import OperationRequest
    from paydispatch.flow import Flow
    from paydispatch.ports import Clock


class MemoryClock:
    """A clock that moves only in `sleep` and `advance`."""

    def __init__(self, now_s: float = 1_800_000_000.0) -> None:
        self._now_s = now_s

    def now_s(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds

    async def sleep(self, seconds: float) -> None:
        self._now_s += seconds
        await asyncio.sleep(0)


class MemoryEventLog:
    """An `EventLog` that keeps its lines and counts."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.counts: defaultdict[str, int] = defaultdict(int)

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    warning = info

    def count(self, metric: str, amount: int = 1) -> None:
        self.counts[metric] += amount

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]


class MemorySealer:
    """A `Sealer` that keeps each sealed credential and returns a token for it."""

    def __init__(self) -> None:
        self.sealed: dict[str, tuple[Credential, Binding]] = {}
        self.away = False

    def seal(self, credential: Credential, binding: Binding) -> str:
        if self.away:
            raise Unavailable("the sealing key is unavailable")
        token = f"sealed-{len(self.sealed) + 1}"
        self.sealed[token] = (credential, binding)
        return token


class MemoryVault:
    """A `Vault` that opens the tokens of a `MemorySealer`, and has named secrets, {(tenant, name): key}."""

    def __init__(
        self, sealer: MemorySealer, secrets: Mapping[tuple[str, str], str] | None = None
    ) -> None:
        self._sealer = sealer
        self._secrets = secrets or {}
        self.away = False

    async def prove(self, binding: Binding, sealed_secret: str) -> None:
        if self.away:
            raise Unavailable("the vault is unavailable")
        self._unseal(binding, sealed_secret)

    async def open(self, envelope: Envelope) -> StripeKey:
        if self.away:
            raise Unavailable("the vault is unavailable")
        if envelope.sealed_secret is None:
            return self._find_secret(QUEUE, envelope.secret_ref or "")
        credential = self._unseal(envelope.binding, envelope.sealed_secret)
        if isinstance(credential, StripeKey):
            return credential
        return self._find_secret(envelope.principal, credential.name)

    def _unseal(self, binding: Binding, sealed_secret: str) -> Credential:
        credential, sealed_for = self._sealer.sealed.get(sealed_secret, (None, None))
        if credential is None or binding != sealed_for:
            raise CannotOpen(
                "The sealed key does not belong to this principal, worker and context."
            )
        return credential

    def _find_secret(self, principal: str, name: str) -> StripeKey:
        tenant = tenant_of(principal, "local")
        if (tenant, name) not in self._secrets:
            raise CannotOpen(f"There is no secret {name!r} of {tenant!r}.")
        return StripeKey(self._secrets[tenant, name])


@dataclass
class MemoryQueue:
    """The common part of the queues. It keeps the sent, deferred and parked messages for the test to look at."""

    sent: list[Envelope] = field(default_factory=list)
    deferred: list[tuple[Envelope, float]] = field(default_factory=list)
    deferred_groups: list[str] = field(default_factory=list)
    """The message group of each deferred copy."""
    parked: list[tuple[str, str, ErrorKind]] = field(default_factory=list)
    """(text, reason, kind)"""
    away: bool = False

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("the queue is unavailable")

    def take(self, envelopes: Sequence[Envelope]) -> None:
        self._reach()
        self.sent.extend(envelopes)

    async def defer(self, envelope: Envelope, delay_s: float, *, group: str | None = None) -> None:
        self._reach()
        self.deferred.append((envelope, delay_s))
        self.deferred_groups.append(group or envelope.group)

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        self._reach()
        self.parked.append((body, reason, kind))


class MemoryRequestQueue(MemoryQueue):
    """A `Queue` for the API."""

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        self.take(envelopes)
        return {}


class MemoryAsyncQueue(MemoryQueue):
    """An `AsyncQueue` for the services in an event loop."""

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        self.take(envelopes)


class MemoryStripe:
    """A `StripeGateway` that returns the given attempts in order, and the last one again and again."""

    def __init__(self, *attempts: Attempt | Callable[[], Attempt]) -> None:
        self._attempts = deque(attempts)
        self.calls: list[dict[str, Any]] = []

    async def call(self, **call: Any) -> Attempt:
        self.calls.append(call)
        following = self._attempts.popleft() if len(self._attempts) > 1 else self._attempts[0]
        await asyncio.sleep(0)
        return following() if callable(following) else following


class MemoryOutcomes:
    """An `OutcomeStream` with the seen-mark's rules, and with its indexes by worker slot and request."""

    def __init__(self, clock: MemoryClock, *, queue_tenant: str = "local") -> None:
        self._clock = clock
        self._queue_tenant = queue_tenant
        self.entries: list[OutcomeEntry] = []
        self.marks: dict[tuple[str, str], str] = {}
        self.unknown: dict[tuple[str, str], OutcomeEntry] = {}
        """The unknown outcomes, and the settled ones that took their place."""
        self.open: dict[tuple[str, str], float] = {}
        """The requests without a published outcome, with the time (unix s) since which each is open."""
        self.away = False

    async def publish(self, entry: OutcomeEntry) -> bool:
        self._reach()
        settled = entry.outcome.settled
        mark, key = "settled" if settled else "unknown", (self._slot(entry), entry.request_id)
        self.open.pop(key, None)
        if self.marks.get(key) in (mark, "settled"):
            return False
        self.marks[key] = mark
        if not settled or key in self.unknown:
            self.unknown[key] = entry
        self.entries.append(entry)
        return True

    async def is_settled(self, worker_slot: str, request_id: str) -> bool:
        self._reach()
        return self.marks.get((worker_slot, request_id)) == "settled"

    async def last_entry(self, worker_slot: str, request_id: str) -> OutcomeEntry | None:
        self._reach()
        told = [
            entry
            for entry in self.entries
            if (self._slot(entry), entry.request_id) == (worker_slot, request_id)
        ]
        return told[-1] if told else None

    def note_open(self, claim: Claim) -> None:
        key = (claim.worker_slot, claim.request_id)
        if key not in self.marks:
            self.open.setdefault(key, open_since(claim.accepted_at, self._clock.now_s()))

    def _slot(self, entry: OutcomeEntry) -> str:
        return slot_name(entry.tenant or self._queue_tenant, entry.worker_id, self._queue_tenant)

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("Redis is unavailable")


class MemoryAccounts:
    """An `Accounts` with an answer per key: the account's id, None if the key may not ask, or Stripe's refusal."""

    def __init__(self, **ids: str | RefusedInFront | None) -> None:
        self.ids = ids
        """{key: answer}. The answer for any other key is `acct_1`."""
        self.away = False
        self.asked: list[str] = []

    async def find(
        self, key: StripeKey, *, stripe_context: str | None, within_s: float
    ) -> str | RefusedInFront | None:
        self.asked.append(key.reveal())
        if self.away:
            raise Unavailable("Stripe is unreachable")
        return self.ids.get(key.reveal(), "acct_1")


class MemoryDoorbell:
    """A `Doorbell` that keeps the workers for which it was rung."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    async def ring(self, worker_id: str) -> None:
        self.rung.append(worker_id)


@dataclass
class _InboxEntry:
    """An entry with its state."""

    entry_id: str
    entry: OutcomeEntry
    runs: int = 0
    due_at: float = 0.0
    read: bool = False


@dataclass
class _Context:
    """The unfinished entries of a conversation in order, and the lease of the turn that runs the first."""

    entries: deque[_InboxEntry] = field(default_factory=deque)
    lease: str = ""
    lease_until: float = 0.0

    def find(self, entry_id: str) -> _InboxEntry | None:
        return next((held for held in self.entries if held.entry_id == entry_id), None)


class MemoryInbox:
    """A `FlowInbox` with a queue and a lease for each context."""

    def __init__(self, clock: MemoryClock, *, lease_s: float = 40.0) -> None:
        self._clock = clock
        self._lease_s = lease_s
        self._ids = itertools.count(1)
        self._contexts: defaultdict[tuple[str, str], _Context] = defaultdict(_Context)
        self.dead: list[tuple[OutcomeEntry, str]] = []
        self.looks: dict[str, float] = {}
        """The time (unix s) of the next look of a sweep at each worker."""
        self.away = False

    def put(self, entry: OutcomeEntry) -> None:
        worker = _worker_slot(entry)
        self.looks[worker] = 0.0
        self._contexts[worker, entry.context_id].entries.append(self._new_entry(entry))

    def unfinished_entries(self) -> list[OutcomeEntry]:
        return [held.entry for context in self._contexts.values() for held in context.entries]

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        return self._take(worker_id, at_most, read=False)

    async def take_abandoned(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        return self._take(worker_id, at_most, read=True)

    async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
        self._reach()
        context = self._context(turn)
        held = context.find(turn.entry_id)
        if held is not None:
            context.entries.remove(held)
        return self._next_turn(context, turn, take_next=take_next)

    async def renew(self, turn: Turn, for_s: float) -> bool:
        self._reach()
        context = self._context(turn)
        if not self._holds(context, turn):
            return False
        context.lease_until = max(context.lease_until, self._clock.now_s() + for_s)
        return True

    async def postpone(self, turn: Turn, delay_s: float, *, counted: bool) -> None:
        self._reach()
        context = self._context(turn)
        if not self._holds(context, turn):
            return
        head, context.lease_until = context.entries[0], 0.0
        head.due_at = self._clock.now_s() + delay_s
        worker = turn.worker_slot
        self.looks[worker] = min(head.due_at, self.looks.get(worker, head.due_at))
        head.runs -= 0 if counted else 1

    async def move_to_dead_stream(
        self, turn: Turn, *, reason: str, successor: OutcomeEntry | None, take_next: bool
    ) -> Turn | None:
        self._reach()
        context = self._context(turn)
        if context.find(turn.entry_id) is None:
            return self._next_turn(context, turn, take_next=take_next)
        self.dead.append((turn.entry, reason))
        if successor is not None:
            context.entries.appendleft(self._new_entry(successor))
        return await self.finish(turn, take_next=take_next)

    def look(self, worker_id: str) -> WorkerLook:
        """Return the worker's state for a sweep."""
        self._reach()
        held = list(self._entries(worker_id))
        postponed = [each for each in held if each.read and each.due_at]
        return WorkerLook(
            unread=any(not each.read for each in held),
            pending=sum(each.read for each in held),
            postponed=len(postponed),
            first_due_at=min((each.due_at for each in postponed), default=None),
        )

    def due_for_a_look(self, now_s: float) -> list[tuple[float, str]]:
        """Return the due workers, each with the time of its look, in order."""
        self._reach()
        return sorted((at, worker_id) for worker_id, at in self.looks.items() if at <= now_s)

    def _entries(self, worker_id: str) -> Iterator[_InboxEntry]:
        own = (context for (worker, _), context in self._contexts.items() if worker == worker_id)
        return itertools.chain.from_iterable(context.entries for context in own)

    def _take(self, worker_id: str, at_most: int, *, read: bool) -> list[Turn]:
        """Take the turns of the contexts' first entries, of those that were read before or of the others."""
        self._reach()
        own = [context for (worker, _), context in self._contexts.items() if worker == worker_id]
        free = [context for context in own if self._free(context)]
        meant = [context for context in free if context.entries[0].read is read]
        return [self._turn(context) for context in meant[:at_most]]

    def _context(self, turn: Turn) -> _Context:
        return self._contexts[turn.worker_slot, turn.entry.context_id]

    def _new_entry(self, entry: OutcomeEntry) -> _InboxEntry:
        return _InboxEntry(str(next(self._ids)), entry)

    def _is_leased(self, context: _Context) -> bool:
        return context.lease_until > self._clock.now_s()

    def _holds(self, context: _Context, turn: Turn) -> bool:
        return context.lease == turn.lease and self._is_leased(context)

    def _free(self, context: _Context) -> bool:
        return (
            bool(context.entries)
            and context.entries[0].due_at <= self._clock.now_s()
            and not self._is_leased(context)
        )

    def _next_turn(self, context: _Context, turn: Turn, *, take_next: bool) -> Turn | None:
        """Return the context's next turn under the same runner, unless another turn holds the lease by now."""
        if self._is_leased(context) and context.lease != turn.lease:
            return None
        context.lease_until = 0.0
        return self._turn(context) if take_next and self._free(context) else None

    def _turn(self, context: _Context) -> Turn:
        head = context.entries[0]
        head.runs += 1
        head.read = True
        context.lease = f"lease-{next(self._ids)}"
        context.lease_until = self._clock.now_s() + self._lease_s
        return Turn(head.entry_id, head.entry, head.runs, context.lease, _worker_slot(head.entry))

    def _reach(self) -> None:
        if self.away:
            raise Unavailable("Redis is unavailable")


def _worker_slot(entry: OutcomeEntry) -> str:
    return slot_name(entry.tenant or "local", entry.worker_id, "local")


class MemorySweep:
    """A `Sweep` over the index of a `MemoryInbox`."""

    def __init__(self, inbox: MemoryInbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock

    async def due(self, *, at_most: int) -> Swept:
        now_s = self._clock.now_s()
        due = self._inbox.due_for_a_look(now_s)[:at_most]
        looks = {worker_id: self._inbox.look(worker_id) for _, worker_id in due}
        for at, worker_id in due:
            self._plan(worker_id, next_look_at(looks[worker_id], now_s, noted=at == 0.0))
        return Swept(len(due), [id_ for id_, look in looks.items() if has_work(look, now_s)])

    async def with_work(self, worker_ids: Collection[str]) -> Sequence[str]:
        now_s = self._clock.now_s()
        return [id_ for id_ in worker_ids if has_work(self._inbox.look(id_), now_s)]

    def _plan(self, worker_id: str, at: float | None) -> None:
        del self._inbox.looks[worker_id]
        if at is not None:
            self._inbox.looks[worker_id] = at


class MemoryDoorbellListener:
    """A `DoorbellListener` for which the test itself calls `ring`."""

    def __init__(self) -> None:
        self._rung: asyncio.Queue[str] = asyncio.Queue()

    def ring(self, worker_id: str) -> None:
        self._rung.put_nowait(worker_id)

    async def next(self, timeout_s: float) -> str | None:
        try:
            return await asyncio.wait_for(self._rung.get(), timeout_s)
        except TimeoutError:
            return None

    async def close(self) -> None:
        """Do nothing, because there is no connection."""


class MemoryScripts:
    """A `FlowScripts` of the given functions."""

    def __init__(self, **scripts: Callable[[Any, Flow], Any]) -> None:
        self._scripts = scripts

    def has(self, name: str) -> bool:
        return name in self._scripts

    def is_loaded(self, name: str) -> bool:
        return name in self._scripts

    async def load(self, name: str) -> None:
        if name not in self._scripts:
            raise MissingFlow(name, "memory")

    async def run(self, name: str, argument: Any, flow: Flow) -> None:
        """Run the script in the caller's event loop. Tasks that the script leaves behind go on there."""
        await self.load(name)
        try:
            result = self._scripts[name](argument, flow)
            if asyncio.iscoroutine(result):
                await result
        except BaseException as error:
            raise script_end(error) from None


class MemoryDelivery:
    """A `Delivery` of the Dispatcher. `envelopes` holds the accepted requests, in order."""

    way = "memory"
    batch_limit = 100

    def __init__(
        self,
        sealer: MemorySealer | None = None,
        *,
        stripe_api_version: str = STRIPE_API_VERSION,
    ) -> None:
        self.sealer = sealer or MemorySealer()
        self._stripe_api_version = stripe_api_version
        self.envelopes: list[Envelope] = []
        self.batches: list[int] = []
        """The number of requests of each call."""
        self.refusals: dict[str, PaydispatchError] = {}
        """{worker_id: error} for the workers with requests that the queue refuses for good."""
        self.away = False
        self.loses_answers = False
        """If True, the queue accepts all requests, but its answers are lost."""
        self.opened = False
        self._prepared: dict[str, Envelope] = {}

    def open(self) -> None:
        self.opened = True

    def prepare(self, request: OperationRequest) -> PreparedRequest:
        now_s, key = time.time(), request.idempotency_key
        request_id = request_id_for_key("", key) if key else new_request_id(now_s)
        warnings = require_valid_params(
            request.operation.name,
            request.params,
            request.unchecked_params,
            self._stripe_api_version,
        )
        envelope = new_envelope(
            request,
            principal=QUEUE,
            request_id=request_id,
            now_s=now_s,
            sealed_secret=self.sealer.seal(request.credential, request.binding(QUEUE)),
        )
        self._prepared[request_id] = envelope
        return PreparedRequest(
            request_id, envelope.as_message(), request.lane, self.way, warnings, envelope.group
        )

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        self.batches.append(len(prepared_requests))
        results = [self._accept(prepared) for prepared in prepared_requests]
        if self.loses_answers:
            return [MaybeAccepted("the answer of the queue was lost")] * len(prepared_requests)
        return results

    def _accept(self, prepared: PreparedRequest) -> str | PaydispatchError:
        if self.away:
            return Unavailable("the queue is unavailable")
        envelope = self._prepared[prepared.request_id]
        if envelope.worker_id in self.refusals:
            return self.refusals[envelope.worker_id]
        self.envelopes.append(envelope)
        return prepared.request_id

    def upkeep(self) -> None:
        """Do nothing, because there is no data key to replace."""

    def close(self) -> None:
        self.opened = False

    def forget_clients(self) -> None:
        self.opened = False
