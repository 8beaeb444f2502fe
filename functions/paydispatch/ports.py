"""What the services need from the world, one Protocol each.

Every port has an in-memory twin: in `adapters/memory.py`, those of operators' services in
`adapters/memory_operations.py`.

The API Lambda and the SDK are synchronous; the Stripe caller and the flow runner live in one event loop. A port says
by its `async` which of the two it serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.credentials import Binding, Credential, StripeKey
    from paydispatch.domain.diagnosis import DeadFlow, OpenRequest, WaitingFlow
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.errors import Unavailable
    from paydispatch.domain.outcomes import ErrorKind
    from paydispatch.domain.redrive import Parked
    from paydispatch.domain.resources import Resource
    from paydispatch.domain.unknown_ends import Sighting, UnknownEnd, Window
    from paydispatch.flow import Flow


class Clock(Protocol):
    def now_s(self) -> float:
        """Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Journal(Protocol):
    """One wide line per unit of work, with a dotted name and all ids; and a count for what is alarmed on."""

    def line(self, event: str, **fields: Any) -> None: ...

    def trouble(self, event: str, **fields: Any) -> None:
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


class DispatchQueue(Protocol):
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
    ) -> Sighting:
        """Look for the object whose metadata holds `mark`. Never raises for what the network or Stripe does.

        `params` are those of the create: they may name a test clock, or a customer who is on one, whose objects are
        listed apart. A list that is not `dated` is read from end to end, whatever `within` says.
        """
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What is already known about a request when one of its messages is received."""

    settled: bool = False
    """Its one outcome has been published: this message is a duplicate."""
    known: bool = False
    """Whether anything about earlier attempts is remembered; the two below mean nothing without it."""
    in_doubt: bool = False
    """Another attempt began and its end was not written down, or it ended unknown."""
    first_sent_at: float | None = None


class OutcomeStream(Protocol):
    """The caller's side of the results. `by` and `sole` name the delivery that works on the request.

    A delivery is *at work* from `begin` until it is `waiting` without doubt, or the request is settled. One that was
    killed, or that waits in doubt, stays at work.
    """

    async def begin(self, envelope: Envelope, *, by: str = "") -> Seen:
        """Write down that an attempt begins, and return what was known before. Raises `Unavailable`."""
        ...

    async def waiting(self, envelope: Envelope, retry_at: float, *, by: str = "") -> None:
        """Write down that the next attempt is at `retry_at` (unix seconds). Raises `Unavailable`."""
        ...

    async def publish(self, entry: OutcomeEntry, *, sole: str | None = None) -> bool:
        """Append the outcome to its worker's stream, once. False: it stood there before.

        Raises `Unavailable`; with `sole` also while any other delivery is at work on the request: what one was refused,
        another may be creating.
        """
        ...

    async def settled(self, worker_id: str, request_id: str) -> bool:
        """Whether its settled outcome has been published, whatever its status says. Raises `Unavailable`."""
        ...


class UnknownEnds(Protocol):
    """The index of requests that ended unknown; `OutcomeStream.publish` keeps it. All raise `Unavailable`."""

    async def workers(self) -> Sequence[str]:
        """Every worker that ever had a request."""
        ...

    async def some(self, worker_id: str, *, at_most: int) -> Sequence[str]:
        """Request ids, drawn at random where there are more: none waits behind those that cannot be settled."""
        ...

    async def read(self, worker_id: str, request_id: str) -> UnknownEnd | None:
        """None: it has been settled meanwhile. Raises `ValueError` for what nobody can read."""
        ...

    async def forget(self, worker_id: str, request_id: str) -> None:
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
    worker_id: str
    context_id: str
    status: str
    attempts: int = 0
    parsed_data: Mapping[str, Any] | None = None
    parsed_error: Mapping[str, Any] | None = None
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """How an idempotency key stands: whether the body is the one it was first used with, and sits on the queue."""

    same_body: bool
    queued: bool


class RequestBoard(Protocol):
    """The door's side: which identities are taken, and where each request stands."""

    def claim(self, fingerprints: Mapping[str, str]) -> Mapping[str, Claim]:
        """Take each {request_id: fingerprint of its body} if it is free. Raises `Unavailable`."""
        ...

    def queued(self, records: Sequence[RequestRecord]) -> None:
        """Write down that the queue has these. Raises `Unavailable`."""
        ...

    def find(self, request_id: str) -> RequestRecord | None:
        """Raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """A flow may run now: it holds its context until it is finished, postponed or its lease runs out."""

    entry_id: str
    entry: OutcomeEntry
    attempt: int
    """The number of this run, from 1."""
    lease: str


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

    async def finish(self, turn: Turn, *, go_on: bool) -> Turn | None:
        """Acknowledge. With `go_on`, keep the lease and return the context's next turn, if there is one."""
        ...

    async def postpone(self, turn: Turn, delay_s: float, *, counted: bool) -> None:
        """Leave the entry pending until then; its context waits with it. `counted`: as a failed run."""
        ...

    async def bury(
        self, turn: Turn, *, reason: str, successor: OutcomeEntry | None, go_on: bool
    ) -> Turn | None:
        """Move to the worker's dead stream; `successor` takes its place at the head of the context."""
        ...

    async def workers(self) -> Sequence[str]:
        """Every worker that ever had a request."""
        ...


class Bells(Protocol):
    """The other end of the doorbell, for a runner that stays awake. Both raise `Unavailable`."""

    async def next(self, timeout_s: float) -> str | None:
        """The worker whose stream got something, or None after `timeout_s`."""
        ...

    async def close(self) -> None: ...


class FlowScripts(Protocol):
    async def run(self, name: str, argument: Any, flow: Flow) -> None:
        """Run the script's `run(argument, flow)`, sync or async. Raises `MissingFlow`, or what the script raises."""
        ...


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

    async def workers(self) -> Sequence[str]: ...

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
