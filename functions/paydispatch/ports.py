"""The ports: everything that the services ask of the world, one Protocol each.

The order is that of a request: first the ports of the API, then those of the Stripe caller, the flow runner and the
operators' commands. Every port has an in-memory twin in `testing/`.

The API Lambda and the SDK are synchronous. The Stripe caller and the flow runner work in one event loop, so the methods
of their ports are `async`. `Unavailable` means that a service behind a port cannot be reached, and that the same call
may succeed later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from paydispatch.domain.attempts import Attempt, RefusedInFront
    from paydispatch.domain.claims import Claim, Disputed, Go, NoSend, Send, SendEnd, SlotState
    from paydispatch.domain.credentials import Binding, Credential, StripeKey
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.errors import Unavailable
    from paydispatch.domain.looks.doubts import Doubt, LookState, Place
    from paydispatch.domain.looks.event_pages import EventPage
    from paydispatch.domain.looks.messages import EventMessage, LookMessage
    from paydispatch.domain.looks.noted_doubts import NotedDoubt
    from paydispatch.domain.operators.dead_flows import DeadFlow, Moved
    from paydispatch.domain.operators.diagnosis import OpenRequest, WaitingFlow
    from paydispatch.domain.operators.erasure import Conversation, Erased
    from paydispatch.domain.operators.lookup_results import Inconclusive, LookupResult, Page
    from paydispatch.domain.operators.lookups import Window
    from paydispatch.domain.operators.object_states import Fetched
    from paydispatch.domain.operators.recent import Page as RecentPage
    from paydispatch.domain.operators.redrive import Parked
    from paydispatch.domain.operators.traces import FlowPath, SlotTimes
    from paydispatch.domain.outcomes import Error, ErrorKind
    from paydispatch.domain.rates.feedback import Change, Feedback
    from paydispatch.domain.rates.lanes import RateLane
    from paydispatch.domain.rates.tokens import Granted, Postponed, TokenAsk
    from paydispatch.domain.rates.views import AccountView, KeyBreakerView, Pause
    from paydispatch.domain.rates.waiting import Waiting
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.domain.stripe.listings import Listing
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.domain.web.stripe_signatures import SigningSecret

# Every service


class Clock(Protocol):
    def now_s(self) -> float:
        """Return the time in unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class EventLog(Protocol):
    """The log: one wide line per unit of work, with a dotted name and all ids. Metrics are counted here as well."""

    def info(self, event: str, **fields: Any) -> None: ...

    def warning(self, event: str, **fields: Any) -> None:
        """Write a line that an operator should look at. Inside an `except` it carries the traceback."""
        ...

    def count(self, metric: str, amount: int = 1) -> None:
        """Add to a metric that an alarm may watch."""
        ...


# API


class Queue(Protocol):
    """The request queues, one per lane."""

    def send(self, envelopes: Sequence[Envelope]) -> Mapping[str, Unavailable]:
        """Send all of them. Return {request_id: error} for those that the queue did not confirm.

        The error is a `MaybeAccepted` if the queue's answer was lost. Raises `Unavailable` if the queue took none.
        """
        ...


class Sealer(Protocol):
    def seal(self, credential: Credential, binding: Binding) -> str:
        """Seal a key, or the name of one, so that it opens for `binding` only. Raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """The fields of a request's status."""

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
    """Unix seconds."""
    waiting: Waiting | None = None
    """Why a request with `retry_at` waits. None: it only waits for its next attempt."""
    account: str | None = None
    """The account in whose limits its calls count, once it was sent (`AccountBinding.rate_account`)."""
    fingerprint: str | None = None
    """The hash of the request that the id stands for (`domain/identity/fingerprint.py`)."""


class LookQueue(Protocol):
    """The look queue, as the API uses it."""

    def send(self, event: EventMessage) -> None:
        """Send the event to the reconciler. Raises `Unavailable`."""
        ...


class WebhookSecrets(Protocol):
    """The signing secrets of Stripe's event destinations."""

    def find(self, tenant: str, name: str) -> Sequence[SigningSecret] | None:
        """Return the secrets that are valid for this webhook now. None: there is no such webhook.

        Raises `Unavailable`, also for a stored text that holds no signing secret.
        """
        ...


class RequestStore(Protocol):
    """The slots of requests, as the API uses them. All methods raise `Unavailable`."""

    def claim(self, claims: Sequence[Claim]) -> Sequence[SlotState]:
        """Take each id if it is free. Return the state of each slot, in order."""
        ...

    def count_repeats(self, ended: Sequence[tuple[Claim, int]]) -> Sequence[int]:
        """Begin the next repeat of each request, and return the number of its newest repeat, in order.

        Each pair is the claim of the first request under a key, and the number of the repeat that ended without an
        effect (0: the first request itself). The count advances only from that number. So all that ask for the next
        repeat at once get the same one. A request whose slot is lost keeps its number.
        """
        ...

    def mark_queued(self, claims: Sequence[Claim]) -> None:
        """Record that the queue has these requests. Called only after SQS has confirmed them."""
        ...

    def get(self, slot: str) -> RequestRecord | None:
        """Return the status of the request in this slot (`slots.slot_name`)."""
        ...

    def check(self) -> None:
        """Raise `Unavailable` unless Redis takes a write."""
        ...


# Stripe caller


class AsyncQueue(Protocol):
    """The request queues from inside the event loop, and the dead-letter queue."""

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        """Send all of them, or raise `Unavailable`.

        Some may have been sent by then. Their ids make a second send harmless.
        """
        ...

    async def defer(self, envelope: Envelope, delay_s: float, *, group: str | None = None) -> None:
        """Send a copy that arrives in `delay_s` seconds, 900 at most. Raises `Unavailable`.

        `group` is its message group where the account is known (`groups.group_of_account`). None: `envelope.group`.
        """
        ...

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        """Put the text of a message on the dead-letter queue, for an operator. Raises `Unavailable`."""
        ...


class AsyncLookQueue(Protocol):
    """The look queue from inside the event loop."""

    async def send(self, message: LookMessage | EventMessage, delay_s: float) -> None:
        """Send a message that arrives in `delay_s` seconds, 900 at most. Raises `Unavailable`."""
        ...


class Vault(Protocol):
    async def prove(self, binding: Binding, sealed_secret: str) -> None:
        """Open the seal. That proves that the message comes from the principal that it names.

        Raises `CannotOpen` if the seal is another one's, or `Unavailable` while the key service cannot tell.
        """
        ...

    async def open(self, envelope: Envelope) -> StripeKey:
        """Return the key that the envelope carries or names. Raises `CannotOpen` (final) or `Unavailable`."""
        ...


class RequestSlots(Protocol):
    """The slots of requests, as the Stripe caller uses them. A slot decides everything about its request.

    Each call is one atomic step. All methods raise `Unavailable`, and then the step may have been done.
    """

    async def claim(self, claim: Claim) -> SlotState:
        """Take the id for this claim if it is free, and return the state of the slot.

        The slot keeps the latch and the earliest first send that the message carries. If the id stands for another
        request, nothing is written.
        """
        ...

    async def find(self, claim: Claim) -> SlotState | None:
        """Return the state of the slot without a claim on it. None: the slot is empty."""
        ...

    async def send(self, claim: Claim, send: Send) -> Go | NoSend:
        """Bind the account, start the clock and open a send. Called just before the POST.

        A caller that gets no answer must not POST.
        """
        ...

    async def end_send(self, claim: Claim, token: str, end: SendEnd) -> None:
        """Record how a send ended."""
        ...

    async def keep_message(self, claim: Claim, message: str) -> EventMessage | None:
        """Keep the queue message of a request that may have had an effect, until its status is final.

        Return the event that came before the message was kept, once.
        """
        ...

    async def keep_event(self, slot: str, event: EventMessage) -> bool:
        """Keep an event that came before the doubt of its request, in place of an earlier one.

        False: it is not kept, because the doubt is noted, the status is final, or no claim was made.
        """
        ...

    async def find_doubt(self, slot: str) -> NotedDoubt | None:
        """Return the fields that an event is checked against. None: the slot is empty, or no claim was made on it."""
        ...

    async def tenants_in_doubt(self) -> Sequence[str]:
        """Return the tenants, except the queue's, that had a request in doubt in the last 25 days."""
        ...

    async def close(self, claim: Claim, error: Error, *, token: str = "") -> Error | Disputed:
        """End the request unexecuted, so that no send can follow.

        Return the error that the slot is closed with: `error`, or an earlier one. `token` names the call's own send,
        which ended for certain. Another open send, or a doubt, disputes the close.
        """
        ...

    async def mark_retrying(
        self, claim: Claim, retry_at: float, *, attempts: int, waiting: Waiting | None = None
    ) -> None:
        """Write into the status that the next attempt is at `retry_at` (unix seconds), and what it waits for."""
        ...

    async def write_status(self, entry: OutcomeEntry) -> None:
        """Write the status of a request with a published outcome. A final status is never overwritten."""
        ...

    async def note_unset_metadata(self, account: AccountBinding) -> None:
        """Record that an operation is about to unset all metadata of an object in this account, our mark included."""
        ...

    async def accept_account(self, claim: Claim, account: AccountBinding) -> None:
        """Bind the slot to `account`, because an operator says that it is the same account as before."""
        ...


class Accounts(Protocol):
    async def find(
        self, key: StripeKey, *, stripe_context: str | None, within_s: float
    ) -> str | RefusedInFront | None:
        """Return the id of the account that the key belongs to. None: the key may not ask for it.

        `RefusedInFront`: Stripe refused the key. Raises `Unavailable` when Stripe gave none of these answers.
        """
        ...


class Limiter(Protocol):
    """Stripe's two rate limits, shared by all processes. All methods raise `Unavailable`."""

    async def take(self, ask: TokenAsk) -> Granted | Postponed:
        """Take the tokens of one call from the account's limit and from its operation's, in one atomic step.

        A wait within the ask's and the lane's bound reserves the tokens. A longer wait reserves nothing. Asks of one
        account that come together share one round trip.
        """
        ...

    async def confirm(self, granted: Granted) -> bool:
        """Return whether tokens that were waited for still count. If not, they are gone, and must be taken again."""
        ...

    async def report(self, granted: Granted, feedback: Feedback) -> Change:
        """Report how the call ended, once for each granted call. `NOT_CALLED`: it was not made after all.

        Return the change that this report made for all calls, so that it is logged and counted once.
        """
        ...


class KeyBreakers(Protocol):
    """Breakers per Stripe key, by its hash. All methods raise `Unavailable`.

    A 401 opens the breaker of the key, a 403 that of the key and the operation, because a restricted key may have the
    permission for others. An open breaker lets one probe through at growing intervals.
    """

    async def check(self, key_sha256: str, operation: str) -> Postponed | None:
        """Return None if the call may go, as a probe or because no breaker is open."""
        ...

    async def open(self, key_sha256: str, operation: str | None) -> bool:
        """Open the breaker, or extend the interval after a refused probe. `operation` None: for all operations.

        Return whether the breaker was closed.
        """
        ...

    async def close(self, key_sha256: str, operation: str) -> None:
        """Close the breakers of the key for this operation, because Stripe took the key. Cheap if none is open."""
        ...


class StripeGateway(Protocol):
    async def call(
        self,
        *,
        method: str,
        path: str,
        params: Mapping[str, Any],
        key: StripeKey,
        request_id: str,
        stripe_account: str | None,
        stripe_context: str | None = None,
    ) -> Attempt:
        """Make one call. A POST has `request_id` as its idempotency key. A DELETE has none, because Stripe ignores it.

        Never raises for a failure of the network or of Stripe, because that is an `Attempt` as well.
        """
        ...


class OutcomeStream(Protocol):
    """The outcome streams of the workers, as the Stripe caller uses them."""

    async def publish(self, entry: OutcomeEntry) -> bool:
        """Append the outcome to its worker's stream, once. False: it was published before. Raises `Unavailable`.

        A settled outcome may follow an unknown one. Nothing follows a settled one.
        """
        ...

    async def is_settled(self, worker_slot: str, request_id: str) -> bool:
        """Return whether the settled outcome of the request is published. Raises `Unavailable`."""
        ...

    async def last_entry(self, worker_slot: str, request_id: str) -> OutcomeEntry | None:
        """Return the entry that was published last. None: none was, or it has been trimmed. Raises `Unavailable`."""
        ...


class Doorbell(Protocol):
    async def ring(self, worker_id: str) -> None:
        """Announce an entry on this worker's stream. Never raises, because the sweep finds workers without a ring."""
        ...


# Flow runner


@dataclass(frozen=True, slots=True)
class Turn:
    """A lease on a context, and the entry at its head.

    It ends when the entry is finished or postponed, or when the lease expires.
    """

    entry_id: str
    entry: OutcomeEntry
    """The script gets its values and may change them."""
    text: str
    """The entry as JSON. It stays as it is, for the dead stream and for the error script."""
    attempt: int
    """The number of this run, from 1."""
    lease: str
    worker_slot: str
    """The worker's slot in which the entry is."""
    killed: int = 0
    """The earlier runs whose scripts did not come to an end, because their process was killed or stopped."""


class Postponement(StrEnum):
    """Why an entry runs later."""

    FAILED = "failed"
    """The run failed. It counts."""
    NOT_BEGUN = "not_begun"
    """The runner stopped before the script began. The run counts as a killed one, because its import may never end."""
    LATER = "later"
    """The script or the queue asked for it. The run does not count."""
    MISSING = "missing"
    """There was no script. The run does not count, and the time of `missing_since` is kept."""


class FlowInbox(Protocol):
    """The outcome streams of the workers, as the flow runner uses them. All methods raise `Unavailable`.

    A second report about the end of a turn changes nothing, so a report may be repeated when its answer was lost.
    """

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        """Return new entries that may run. An entry that must wait for another of its context is left out."""
        ...

    async def take_abandoned(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        """Return pending entries that may run: postponed ones that are due, and those of a runner that died."""
        ...

    async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
        """Acknowledge the entry. With `take_next`, keep the lease and return the next turn of the context."""
        ...

    async def renew(self, turn: Turn, for_s: float) -> bool:
        """Hold the context for at least `for_s` seconds from now. False: the turn is over, or is another runner's."""
        ...

    async def postpone(self, turn: Turn, delay_s: float, why: Postponement) -> None:
        """Leave the entry pending for `delay_s` seconds, and its context with it.

        Each reason but `MISSING` forgets the time of `missing_since`.
        """
        ...

    async def missing_since(self, turn: Turn) -> float:
        """Note that this runner has no script for the entry. Return since when (unix seconds) none was found.

        It is now if a runner had the script since then.
        """
        ...

    async def move_to_dead_stream(
        self, turn: Turn, *, reason: str, successor: OutcomeEntry | None, take_next: bool
    ) -> Turn | None:
        """Move the entry to the worker's dead stream. `successor` takes its place at the head of the context.

        With `take_next`, keep the lease and return the next turn of the context.
        """
        ...


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of one sweep."""

    looked_at: int
    """Workers."""
    with_work: Sequence[str]
    """The ids of those with entries that may run."""


class Sweep(Protocol):
    """Finds the workers with entries that may run. Both methods raise `Unavailable`."""

    async def due(self, *, at_most: int) -> Swept:
        """Look at workers that are due for a look. If as many as `at_most` were, more may be due."""
        ...

    async def with_work(self, worker_ids: Collection[str]) -> Sequence[str]:
        """Look at these workers, due or not. Return the ids of those with entries that may run."""
        ...


class DoorbellListener(Protocol):
    """Receives the rings of `Doorbell`, for a runner that stays awake. Both methods raise `Unavailable`."""

    async def next(self, timeout_s: float) -> str | None:
        """Return the worker of the next ring, or None after `timeout_s`."""
        ...

    async def close(self) -> None: ...


# Operators


class UnknownOutcomes(Protocol):
    """The index of requests with an unknown outcome. `OutcomeStream.publish` adds to it. All raise `Unavailable`.

    A settled outcome takes the place of the unknown one. It stays until a reconciler has made sure of its status,
    because the process that published it may have died before it wrote the status.
    """

    async def workers(self, *, at_most: int) -> Sequence[str]:
        """Return workers with unknown outcomes, drawn at random if there are more."""
        ...

    async def some(self, worker_slot: str, *, at_most: int) -> Sequence[str]:
        """Return request ids. If there are more, they are drawn at random, so that every request gets its look."""
        ...

    async def read(self, worker_slot: str, request_id: str) -> UnknownOutcome | None:
        """Return the entry, with the sends that the request's slot knows of. None: the index has none.

        Raises `ValueError` for an entry that cannot be read.
        """
        ...

    async def accept_account(
        self, worker_slot: str, request_id: str, account: AccountBinding
    ) -> None:
        """Write `account` into the entry, because an operator says that it is the same account as before.

        For a request with an expired slot. `RequestSlots.accept_account` does it in the slot.
        """
        ...

    async def metadata_unset_at(self, account: AccountBinding) -> float | None:
        """Return when an operation last unset all metadata of an object in this account, in unix seconds.

        None: no such operation is remembered.
        """
        ...

    async def forget(self, worker_slot: str, request_id: str) -> None:
        """Drop the request from the index. If its outcome is not settled, it stays `unknown`."""
        ...


class Doubts(Protocol):
    """The doubts of each place (an account and an object) and the plan of their looks. All raise `Unavailable`.

    `UnknownOutcomes` stays the source of truth. A doubt that is missing here is found by the hourly sweep.
    """

    async def note(self, place: Place, doubt: Doubt, *, due_at: float) -> bool:
        """Note a doubt. A known doubt keeps its time. Return whether a look message must be sent for the place."""
        ...

    async def places(self, *, at_most: int) -> Sequence[Place]:
        """Return places with doubts, those first that were noted longest ago."""
        ...

    async def state(self, place: Place) -> LookState: ...

    async def lease(
        self, place: Place, token: str, for_s: float, cursor: Mapping[str, Any] | None = None
    ) -> bool:
        """Take the lease of the place, or keep it for `for_s` seconds from now. False: another look has it.

        `cursor` replaces the one that is kept. An empty one forgets it.
        """
        ...

    async def due(self, place: Place, *, before: float, at_most: int) -> Sequence[Doubt]:
        """Return the doubts whose look is due before that time (unix seconds), those first that are due first."""
        ...

    async def postpone(self, place: Place, due_at: Mapping[Doubt, float]) -> None:
        """Set the time of the next look of these doubts, and keep how far their list was read."""
        ...

    async def drop(self, place: Place, doubts: Sequence[Doubt]) -> None: ...

    async def end_look(
        self, place: Place, token: str, *, not_before: float
    ) -> tuple[int, float] | None:
        """Give the lease back, and plan the next look of the place. Return its number and its time (unix seconds).

        None: no doubt is left, or another look has the lease.
        """
        ...


ReadTurn = Callable[[], Awaitable[None]]
"""Waits until one read may go."""


class StripeLists(Protocol):
    """Reads at Stripe: the lists of created objects, and single objects. Each waits for its `turn` before every GET.

    What `turn` raises is raised on.
    """

    async def fetch(
        self,
        *,
        path: str,
        key: StripeKey,
        stripe_account: str | None,
        stripe_context: str | None = None,
        turn: ReadTurn,
    ) -> Fetched | Inconclusive:
        """Return the object at `path`, or that Stripe has none there. Never raises for a failure, as `find_created`."""
        ...

    async def read_page(
        self,
        *,
        path: str,
        query: Mapping[str, str],
        key: StripeKey,
        stripe_account: str | None,
        stripe_context: str | None = None,
        turn: ReadTurn,
    ) -> Page | Inconclusive:
        """Return one page of the list at `path`, the newest objects first. Never raises for a failure."""
        ...

    async def find_created(
        self,
        *,
        path: str,
        listing: Listing,
        mark: tuple[str, str],
        params: Mapping[str, Any],
        within: Window,
        key: StripeKey,
        stripe_account: str | None,
        stripe_context: str | None = None,
        turn: ReadTurn,
    ) -> LookupResult:
        """Look in Stripe's list at `path` for the object with `mark` in its metadata.

        `params` are those of the create. They may name a test clock, or a customer on one, and Stripe lists the objects
        of a test clock apart. `within` bounds the look, unless the list is not `dated`: then all of it is read. Never
        raises for a failure of the network or of Stripe.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAs:
    """The account in which something is read, and its turn in the account's rate limit."""

    key: StripeKey
    turn: ReadTurn
    stripe_account: str | None = None
    stripe_context: str | None = None
    tenant: str | None = None
    """The tenant of the requests that are looked for."""


class StripeEvents(Protocol):
    async def page(
        self, read_as: ReadAs, *, types: Sequence[str], since: float, after: str | None
    ) -> EventPage | Inconclusive:
        """Return one page of Stripe's events of these types, newest first, at most 20 types.

        `since`: unix seconds. `after`: the id of the last event of the page before. Never raises for a failure of the
        network or of Stripe.
        """
        ...


class DeadLetterQueue(Protocol):
    """The dead-letter queue, as an operator uses it. All methods raise `Unavailable`."""

    async def receive(self) -> Sequence[Parked]:
        """Return a few messages and hide them from other readers for a while. Empty: there are no more."""
        ...

    async def release(self, parked: Sequence[Parked]) -> None:
        """Show the messages to other readers again, at once."""
        ...

    async def delete(self, parked: Parked) -> None: ...


class DeadStreams(Protocol):
    """The dead streams of the workers, as an operator uses them. All methods raise `Unavailable`."""

    async def workers(self) -> Sequence[str]:
        """Return the slots of the workers with dead flows, in order."""
        ...

    async def time_s(self, worker_slot: str) -> float:
        """Return the time (unix seconds) of the clock that numbers the dead flows of this worker."""
        ...

    async def page(
        self, worker_slot: str, *, after: str, until_s: float, at_most: int
    ) -> Sequence[DeadFlow]:
        """Return dead flows in their order, from the first one after the id `after` ('' for the first of all).

        Those that died after `until_s` (unix seconds) are left out.
        """
        ...

    async def rerun(self, worker_slot: str, dead: DeadFlow) -> Moved:
        """Move the entry back to the worker's stream, as the last of its context, in one step.

        The entry must be readable. A second call changes nothing and returns the same.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """The numbers of a worker's streams."""

    worker_id: str
    pending: int = 0
    """Entries that a runner has read and not finished."""
    unread: int = 0
    oldest_pending_at: float | None = None
    """Unix seconds at which the oldest pending or unread entry was published."""
    dead: int = 0


class Recent(Protocol):
    """The newest requests, for a list of them. It only reads."""

    async def read(self, places: Mapping[str, str]) -> RecentPage:
        """Return the open requests, and the outcomes after `places`, which are those of the page before.

        Raises `Unavailable`.
        """
        ...


class Backlog(Protocol):
    """The accepted and unfinished work, for commands that only read. All methods raise `Unavailable`.

    `before` (unix seconds) leaves out younger work. Of the rest, the oldest `at_most` are returned.
    """

    async def workers(self, *, at_most: int) -> Sequence[str]:
        """Return the workers for which anything is stored."""
        ...

    async def eviction_policy(self) -> str | None:
        """Return the policy by which Redis frees memory. None: Redis does not say."""
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
class TracedRequest:
    """A request's status, and the times of its path."""

    record: RequestRecord
    times: SlotTimes


class Traces(Protocol):
    """The stored path of one request, for commands that only read. All methods raise `Unavailable`."""

    async def request(self, slot: str) -> TracedRequest | None:
        """Return the request in this slot (`slots.slot_name`). None: it is not known, or was only claimed."""
        ...

    async def flows(self, worker_slot: str, request_id: str) -> Sequence[FlowPath]:
        """Return the entry that was published last, and the error entry that took its place if its script failed."""
        ...

    async def statuses(self, slots: Sequence[str]) -> Sequence[str | None]:
        """Return the status of the request in each slot. None: there is none yet."""
        ...


class Conversations(Protocol):
    """The stored data of conversations, for their erasure. All methods raise `Unavailable`.

    With `write` false, a method only counts.
    """

    async def requests(self, whose: Conversation) -> Sequence[str]:
        """Return the slots of the conversation's requests."""
        ...

    async def workers(self, whose: Conversation) -> Sequence[str]:
        """Return the slots of the workers that may hold outcomes of the conversation."""
        ...

    async def erase_request(self, slot: str, whose: Conversation, *, write: bool) -> Erased:
        """Erase the result, the error and the kept message of a settled request. Its guards stay."""
        ...

    async def erase_outcomes(self, worker_slot: str, whose: Conversation, *, write: bool) -> Erased:
        """Erase the outcomes whose flow has finished."""
        ...

    async def erase_dead_flows(
        self, worker_slot: str, whose: Conversation, *, write: bool
    ) -> Erased: ...


class LimitBoard(Protocol):
    """The limits, pauses and breakers, as an operator sees and changes them. All methods raise `Unavailable`.

    `account` is the name with the mode, as in `AccountBinding.rate_account`. Every change holds within a second.
    """

    async def accounts(self) -> Sequence[str]:
        """Return the accounts that were called in the last 30 days, or that have limits or pauses of their own."""
        ...

    async def show(self, account: str) -> AccountView: ...

    async def set_limit(self, account: str, operation: str | None, rate: int | None) -> None:
        """Set a limit of this account. `operation` None: of all its calls. `rate` None: no limit."""
        ...

    async def reset(self, account: str) -> None:
        """Give the account the default limits again, and forget what its limits learned from 429s."""
        ...

    async def pause(self, account: str | None, lane: RateLane | None, *, by: str) -> None:
        """Stop the calls of a lane, or of all lanes if `lane` is None. `account` None: for all accounts."""
        ...

    async def resume(self, account: str | None, lane: RateLane | None) -> None:
        """End the pause that `pause` made for the same account and lane. `lane` None: all pauses of the account."""
        ...

    async def global_pauses(self) -> Sequence[Pause]:
        """Return the pauses of all accounts."""
        ...

    async def close_breaker(self, account: str) -> None:
        """Close the breaker of the account, so that its calls go at once."""
        ...

    async def key_breakers(self) -> Sequence[KeyBreakerView]:
        """Return the open breakers of keys."""
        ...

    async def close_key_breaker(self, key_sha256: str) -> None:
        """Close the breakers of the key for all operations."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """The number of messages on a queue. SQS counts approximately."""

    name: str
    waiting: int
    in_flight: int
    delayed: int


class QueueDepths(Protocol):
    async def depths(self) -> Sequence[QueueDepth]:
        """Return the depth of each request queue and of the dead-letter queue. Raises `Unavailable`."""
        ...
