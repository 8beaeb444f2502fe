"""What the services need from the world, one Protocol each.

Every port has an in-memory twin: in `testing/memory.py`, those of operators' services in
`testing/memory_operations.py`.

The API Lambda and the SDK are synchronous; the Stripe caller and the flow runner live in one event loop. A port says
by its `async` which of the two it serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from paydispatch.domain.accounts import AccountBinding
    from paydispatch.domain.attempts import Attempt, RefusedInFront
    from paydispatch.domain.claims import Claim, Disputed, Go, NoSend, Send, SendEnd, SlotState
    from paydispatch.domain.credentials import Binding, Credential, StripeKey
    from paydispatch.domain.diagnosis import DeadFlow, OpenRequest, WaitingFlow
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.errors import Unavailable
    from paydispatch.domain.outcomes import Error, ErrorKind
    from paydispatch.domain.redrive import Parked
    from paydispatch.domain.resources import Resource
    from paydispatch.domain.unknown_outcomes import LookupResult, UnknownOutcome, Window


class Clock(Protocol):
    def now_s(self) -> float:
        """Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class EventLog(Protocol):
    """One wide line per unit of work, with a dotted name and all ids; and a count for what is alarmed on."""

    def info(self, event: str, **fields: Any) -> None: ...

    def warning(self, event: str, **fields: Any) -> None:
        """A line for what somebody should look at; inside an `except` it carries the traceback."""
        ...

    def count(self, metric: str, amount: int = 1) -> None: ...


class Queue(Protocol):
    """The request queues, one per lane."""

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        """Send all; return {request_id: why} for those without a yes of the queue.

        The error is a `MaybeAccepted` where the queue's answer was lost. Raises `Unavailable` if it took none of them.
        """
        ...


class AsyncQueue(Protocol):
    """The same queues from inside the event loop, and the dead-letter queue."""

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        """Send all, or raise `Unavailable`: some may then have been sent, which their identity makes harmless."""
        ...

    async def defer(self, envelope: Envelope, delay_s: float) -> None:
        """Send a delayed copy, at most 900 s ahead. Raises `Unavailable`."""
        ...

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        """Put a message's text on the dead-letter queue for an operator. Raises `Unavailable`."""
        ...


class DeadLetterQueue(Protocol):
    """The dead-letter queue from an operator's side. All raise `Unavailable`."""

    async def receive(self) -> Sequence[Parked]:
        """A few messages, hidden from everybody else for a while. Empty: there are no more."""
        ...

    async def release(self, parked: Sequence[Parked]) -> None:
        """Let everybody see them again, at once."""
        ...

    async def delete(self, parked: Parked) -> None: ...


class Sealer(Protocol):
    def seal(self, credential: Credential, binding: Binding) -> str:
        """Seal a key, or the name of one, so that it opens for `binding` alone. Raises `Unavailable`."""
        ...


class Vault(Protocol):
    async def prove(self, binding: Binding, sealed_secret: str) -> None:
        """Open the seal, which proves that the message comes from the principal it names.

        Raises `CannotOpen` (it does not) or `Unavailable` (the key service cannot say now).
        """
        ...

    async def open(self, envelope: Envelope) -> StripeKey:
        """The key the envelope carries or names. Raises `CannotOpen` (final) or `Unavailable` (try later)."""
        ...


class StripeGateway(Protocol):
    async def create(
        self,
        *,
        endpoint: str,
        params: Mapping[str, Any],
        key: StripeKey,
        request_id: str,
        stripe_account: str | None,
        stripe_context: str | None = None,
    ) -> Attempt:
        """One POST under `request_id` as idempotency key. Never raises for what the network or Stripe does."""
        ...


class StripeLists(Protocol):
    async def find_created(
        self,
        *,
        resource: Resource,
        mark: tuple[str, str],
        params: Mapping[str, Any],
        within: Window,
        key: StripeKey,
        stripe_account: str | None,
        stripe_context: str | None = None,
    ) -> LookupResult:
        """Look for the object whose metadata holds `mark`. Never raises for what the network or Stripe does.

        `params` are those of the create: they may name a test clock, or a customer who is on one, whose objects are
        listed apart. A list that is not `dated` is read from end to end, whatever `within` says.
        """
        ...


class RequestSlots(Protocol):
    """The Stripe caller's side of the request's slot, which decides. Each call is one atomic step. All raise
    `Unavailable`, and then the step may have been done."""

    async def claim(self, claim: Claim) -> SlotState:
        """Take the id for this claim if it is free, and return how the slot stands.

        The slot keeps the latch and the earliest first send that the message carries. Where the id stands for another
        request, nothing is written.
        """
        ...

    async def find(self, claim: Claim) -> SlotState | None:
        """Return how the slot stands without a claim on it. None: it is empty."""
        ...

    async def send(self, claim: Claim, send: Send) -> Go | NoSend:
        """Bind the account, start the clock and open a send, just before the POST. Without an answer, do not POST."""
        ...

    async def end_send(self, claim: Claim, token: str, end: SendEnd) -> None:
        """Write down how a send ended."""
        ...

    async def close(self, claim: Claim, error: Error, *, token: str = "") -> Error | Disputed:
        """End the request unexecuted: after this there is no send. Return the end that stands, `error` or an earlier.

        `token` names this delivery's own send, which ended for certain. Another open send, or doubt, disputes it.
        """
        ...

    async def mark_retrying(self, claim: Claim, retry_at: float, *, attempts: int) -> None:
        """Write down, for people, that the next attempt is at `retry_at` (unix seconds)."""
        ...

    async def write_status(self, entry: OutcomeEntry) -> None:
        """Write where the request stands after its outcome was published. A final status is never written over."""
        ...

    async def accept_account(self, claim: Claim, account: AccountBinding) -> None:
        """Bind the slot to `account` on an operator's word that it is the same account as before."""
        ...


class Accounts(Protocol):
    async def find(
        self, key: StripeKey, *, stripe_context: str | None, within_s: float
    ) -> str | RefusedInFront | None:
        """Return the id of the account that the key belongs to. None: the key may not ask.

        `RefusedInFront`: Stripe refused the key. Raises `Unavailable` when Stripe gave no such answer.
        """
        ...


class OutcomeStream(Protocol):
    """The caller's side of the results: the worker's slot, which tells."""

    async def publish(self, entry: OutcomeEntry) -> bool:
        """Append the outcome to its worker's stream, once. False: it stood there before. Raises `Unavailable`.

        A settled outcome may follow an unknown one. Nothing follows a settled one.
        """
        ...

    async def is_settled(self, worker_slot: str, request_id: str) -> bool:
        """Whether its settled outcome has been published. Raises `Unavailable`."""
        ...

    async def published(self, worker_slot: str, request_id: str) -> OutcomeEntry | None:
        """Return the entry that was published last. None: none was, or it has been trimmed. Raises `Unavailable`."""
        ...


class UnknownOutcomes(Protocol):
    """The index of requests that ended unknown; `OutcomeStream.publish` keeps it. All raise `Unavailable`."""

    async def workers(self, *, at_most: int) -> Sequence[str]:
        """Workers that have unknown outcomes, drawn at random where there are more."""
        ...

    async def some(self, worker_slot: str, *, at_most: int) -> Sequence[str]:
        """Request ids, drawn at random where there are more: none waits behind those that cannot be settled."""
        ...

    async def read(self, worker_slot: str, request_id: str) -> UnknownOutcome | None:
        """Return the entry with what the request's slot knows of its sends. None: it has been settled meanwhile.

        Raises `ValueError` for an entry that cannot be read.
        """
        ...

    async def accept_account(
        self, worker_slot: str, request_id: str, account: AccountBinding
    ) -> None:
        """Write `account` into the entry, on an operator's word that it is the same account as before.

        For a request whose slot is gone (`RequestSlots.accept_account`).
        """
        ...

    async def forget(self, worker_slot: str, request_id: str) -> None:
        """Drop it from the index; its outcome stays `unknown`."""
        ...


class Doorbell(Protocol):
    async def ring(self, worker_id: str) -> None:
        """Say that this worker's stream holds something. Never raises: a sweep finds what a lost ring left."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """What the status of a request is made of."""

    request_id: str
    tenant: str
    object: str
    operation: str
    worker_id: str
    context_id: str
    status: str
    attempts: int = 0
    parsed_data: Mapping[str, Any] | None = None
    parsed_error: Mapping[str, Any] | None = None
    retry_at: float | None = None


class RequestStore(Protocol):
    """The API's side of the request's slot. All raise `Unavailable`."""

    def claim(self, claims: Sequence[Claim]) -> Sequence[SlotState]:
        """Take each id if it is free, and return how each slot stands, in order."""
        ...

    def mark_queued(self, claims: Sequence[Claim]) -> None:
        """Write down that the queue has these. Only after SQS said so."""
        ...

    def get(self, slot: str) -> RequestRecord | None:
        """Return where the request of this slot stands (`slots.slot_name`)."""
        ...

    def check(self) -> None:
        """Raise unless a write is taken."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """A flow may run now: it holds its context until it is finished, postponed or its lease runs out."""

    entry_id: str
    entry: OutcomeEntry
    attempt: int
    """The number of this run, from 1."""
    lease: str
    worker_slot: str
    """The name of the worker's slot it was taken from."""


class FlowInbox(Protocol):
    """The runner's side of the results: entries in turn, context by context. All raise `Unavailable`.

    The end of a turn may be told twice, as when the first answer was lost: the second changes nothing.
    """

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        """New entries whose turn it is. One that must wait for another of its context is not returned."""
        ...

    async def take_abandoned(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        """Entries read before whose turn it is: postponed ones that are due, and those a dead runner left."""
        ...

    async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
        """Acknowledge. With `take_next`, keep the lease and return the context's next turn, if there is one."""
        ...

    async def renew(self, turn: Turn, for_s: float) -> bool:
        """Hold the context for at least so long from now. False: the turn is another's by now, or is over."""
        ...

    async def postpone(self, turn: Turn, delay_s: float, *, counted: bool) -> None:
        """Leave the entry pending until then; its context waits with it. `counted`: as a failed run."""
        ...

    async def move_to_dead_stream(
        self, turn: Turn, *, reason: str, successor: OutcomeEntry | None, take_next: bool
    ) -> Turn | None:
        """Move to the worker's dead stream; `successor` takes its place at the head of the context."""
        ...


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of one round of looks."""

    looked_at: int
    with_work: Sequence[str]
    """The workers a runner has something to do for."""


class Sweep(Protocol):
    """Finds the workers a runner has something to do for. Both raise `Unavailable`."""

    async def due(self, *, at_most: int) -> Swept:
        """Look at workers whose look is due. As many as `at_most` may mean that more are due."""
        ...

    async def with_work(self, worker_ids: Collection[str]) -> Sequence[str]:
        """Look at these, due or not."""
        ...


class DoorbellListener(Protocol):
    """The other end of the APIbell, for a runner that stays awake. Both raise `Unavailable`."""

    async def next(self, timeout_s: float) -> str | None:
        """The worker whose stream got something, or None after `timeout_s`."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """A worker's streams at a glance."""

    worker_id: str
    pending: int = 0
    """Read by a runner, and not finished."""
    unread: int = 0
    oldest_pending_at: float | None = None
    """Unix seconds: when the oldest of both was published."""
    dead: int = 0


class Backlog(Protocol):
    """What is accepted and not finished, for whoever looks and changes nothing. All raise `Unavailable`.

    `before` (unix seconds) leaves out what is younger; of the rest, the oldest `at_most`.
    """

    async def workers(self, *, at_most: int) -> Sequence[str]:
        """Workers for which anything waits or is kept."""
        ...

    async def eviction_policy(self) -> str | None:
        """What Redis does when it is full. None: it does not say."""
        ...

    async def open_requests(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[OpenRequest]: ...

    async def waiting_flows(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[WaitingFlow]: ...

    async def dead_flows(
        self, worker_id: str, *, before: float, at_most: int
    ) -> Sequence[DeadFlow]: ...

    async def stream(self, worker_id: str) -> StreamState: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """About how many messages a queue holds; SQS counts approximately."""

    name: str
    waiting: int
    in_flight: int
    delayed: int


class QueueDepths(Protocol):
    async def depths(self) -> Sequence[QueueDepth]:
        """Each request queue and the dead-letter queue. Raises `Unavailable`."""
        ...
