"""Call Stripe for one message of the queue: one envelope in, one outcome out, however often the message is received.

The steps, in order: prove the principal, claim the id, guard, open the key, find the account, open a send, POST, end
the send, publish, write the status. The request's slot decides each of them, so that a crash between any two leaves
nothing worse than a doubt. A call ends *done* (the message may be acknowledged), or it raises `Unavailable` (the queue
keeps the message). Nothing is done before the thing that replaces the message is durable: an outcome, or a copy.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.accounts import bind_account
from paydispatch.domain.attempts import NotSent, RefusedInFront, Unknown
from paydispatch.domain.claims import Claim, Disputed, Go, NoSend, Send, SendEnd, claim_of
from paydispatch.domain.credentials import check_acts_in_account
from paydispatch.domain.entry import entry_for
from paydispatch.domain.envelope import check_copy_size, check_operation
from paydispatch.domain.errors import (
    BadRequest,
    CannotOpen,
    NotPermitted,
    Unavailable,
)
from paydispatch.domain.limits import QUEUE_DELAY_LIMIT_S, SEND_AGE_S
from paydispatch.domain.marks import with_mark
from paydispatch.domain.outcomes import Error, ErrorKind, Outcome, error_for_reused_id
from paydispatch.domain.parameters.check import require_valid_params
from paydispatch.domain.progress import Progress
from paydispatch.domain.resources import resource_named
from paydispatch.domain.retry import (
    Again,
    Decision,
    GivenUp,
    Settled,
    decide,
    end_with,
    give_up,
    may_send,
    merge_history,
    note_send,
    progress_for_copy,
    send_end,
    store_backoff_s,
    with_doubt,
)
from paydispatch.services.prove_principal import is_proven
from paydispatch.services.report_end import end_unsent, mend_status, report_end

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paydispatch.domain.accounts import AccountBinding
    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.envelope import Envelope
    from paydispatch.ports import (
        Accounts,
        AsyncQueue,
        Clock,
        Doorbell,
        EventLog,
        OutcomeStream,
        RequestSlots,
        StripeGateway,
        Vault,
    )

LEAST_CALL_S = 1.0
"""With less time left a call is likelier to be abandoned than answered, and would leave a doubt for nothing."""

MOST_FRESH_STARTS = 5
"""How often a copy takes the place of a message on its last receive, if nothing was ever sent. Throttled receives use
up a message that no process ever looked at. A message that kills its process each time ends after these."""

MOST_WAITS_FOR_PROOF = 3_000
"""How often a message waits for the proof of its principal: five to ten days. Then it is parked, because a stranger's
message whose seal KMS may not open would otherwise go round for ever."""

MOST_SENDS_ASKED = 3
"""How often a send is asked for again because its answer came too late for the POST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPorts:
    """What a call needs of the world."""

    requests: RequestSlots
    outcomes: OutcomeStream
    accounts: Accounts
    gateway: StripeGateway
    vault: Vault
    queue: AsyncQueue
    doorbell: Doorbell
    clock: Clock
    log: EventLog
    fraction: Callable[[], float]
    """A random number in [0, 1): the jitter of the backoff."""
    queue_tenant: str
    """The tenant of programs that write to the queue themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive:
    """One delivery of a queue message."""

    receive_count: int
    """How often the message has been given out, this time included."""
    last_receive: bool
    """The queue dead-letters the message by itself after this one."""
    until: float
    """Unix seconds: when this invocation must have nothing in flight any more."""


class _PutOff(Exception):
    """A copy has to go on with the request later. Carries all that the copy must know."""

    def __init__(self, progress: Progress, why: str, *, claimed: bool = True) -> None:
        super().__init__(why)
        self.progress = progress
        self.claimed = claimed


@contextmanager
def _putting_off(progress: Progress, *, claimed: bool = True) -> Iterator[None]:
    """Turn a store that is away into a copy that knows `progress`."""
    try:
        yield
    except Unavailable as error:
        raise _PutOff(progress, str(error), claimed=claimed) from error


class StripeCall:
    """The work on one message within one invocation. Progress is passed from step to step."""

    def __init__(self, ports: CallPorts, envelope: Envelope, receive: Receive) -> None:
        self._ports = ports
        self._envelope = envelope
        self._receive = receive
        self._claim = claim_of(envelope, ports.queue_tenant, ports.clock.now_s())
        self._stripe_s = 0.0

    async def run(self) -> None:
        """Bring the request to its outcome, or defer it. Raises `Unavailable` when neither could be made durable."""
        try:
            await self._run()
        except _PutOff as put_off:
            # A copy costs no receive, so waiting for a store dead-letters nothing.
            await self._defer_for_store(put_off)

    async def _run(self) -> None:
        if not await self._is_proven():
            await self._park_unaccepted()
            return
        progress: Progress | None = self._envelope.progress
        while progress is not None:
            progress = await self._attempt_once(progress)

    async def _attempt_once(self, progress: Progress) -> Progress | None:
        """Make one attempt, from the claim to its end. Return the progress to go on with at once; None: done."""
        with _putting_off(progress, claimed=False):
            state = await self._ports.requests.claim(self._claim)
            if not state.owned:
                await self._tell_reused(progress)
                return None
        if state.final:
            self._line("request.duplicate", progress)
            return None
        progress = merge_history(progress, state)
        if state.closed is not None:
            await self._tell(progress, state.closed)
            return None
        if self._needs_fresh_start(progress):
            await self._start_afresh(progress)
            return None
        ended = self._guard(progress)
        if ended is not None:
            await self._conclude(progress, ended)
            return None
        return await self._attempt(progress)

    async def _attempt(self, progress: Progress) -> Progress | None:
        try:
            key = await self._open_key(progress)
            # The API sees the key itself. Of a named one nobody knows before now whose it is.
            check_acts_in_account(key, self._envelope.stripe_context)
        except CannotOpen as error:
            refusal = self._dispatcher_error(progress, "key_not_opened", str(error))
            await self._conclude(progress, end_with(refusal))
            return None
        except BadRequest as error:
            refusal = self._dispatcher_error(progress, error.code, str(error), error.param)
            await self._conclude(progress, end_with(refusal))
            return None
        account = await self._find_account(progress, key)
        if isinstance(account, RefusedInFront):  # Stripe refused the key, before anything was sent
            return await self._act_on(progress, self._decide(progress, account), token="")
        if self._time_left_s() < LEAST_CALL_S:
            ending = NotSent("The invocation had no time left for a call", "invocation_ending")
            return await self._act_on(progress, self._decide(progress, ending), token="")
        return await self._send_and_post(progress, key, account)

    # Before the claim

    async def _is_proven(self) -> bool:
        """Tell whether the message comes from the principal it names. Nothing is written before that is known."""
        envelope = self._envelope
        try:
            return await is_proven(
                self._ports, self._claim, envelope.binding, envelope.sealed_secret
            )
        except Unavailable as error:
            if envelope.progress.store_waits >= MOST_WAITS_FOR_PROOF:
                return False
            raise _PutOff(envelope.progress, str(error), claimed=False) from error

    async def _park_unaccepted(self) -> None:
        self._ports.log.warning("message.not_accepted", **_ids(self._claim))
        self._ports.log.count("MessageNotAccepted")
        await self._ports.queue.park(
            self._envelope.as_message(), reason="not_accepted", kind=ErrorKind.DISPATCHER
        )

    # Guards

    def _needs_fresh_start(self, progress: Progress) -> bool:
        """Tell whether a copy takes the place of a message that the queue is about to dead-letter unsent."""
        unsent = progress.first_sent_at is None and not progress.maybe_executed
        return self._receive.last_receive and unsent and progress.fresh_starts < MOST_FRESH_STARTS

    async def _start_afresh(self, progress: Progress) -> None:
        copy = replace(progress, fresh_starts=progress.fresh_starts + 1)
        await self._ports.queue.defer(self._envelope.at(copy), 0.0)
        self._line("request.started_afresh", copy)

    def _guard(self, progress: Progress) -> Settled | GivenUp | None:
        """Return the end of a request that must not be sent. None: it may be."""
        if self._receive.last_receive:
            error = self._dispatcher_error(
                progress, "last_receive", "Every worker that took this request died."
            )
            return GivenUp(error)
        try:
            self._check()
        except BadRequest as error:
            refusal = self._dispatcher_error(progress, error.code, str(error), error.param)
            return end_with(refusal)
        return may_send(progress, self._ports.clock.now_s())

    def _check(self) -> None:
        """Check what the API checks: the queue is trusted no more. Raises `BadRequest`."""
        check_operation(self._envelope)
        require_valid_params(self._envelope.object, self._envelope.params)
        check_copy_size(self._envelope)

    # Key, account, send, POST

    async def _open_key(self, progress: Progress) -> StripeKey:
        with _putting_off(progress):
            try:
                return await self._ports.vault.open(self._envelope)
            except NotPermitted as error:
                # Somebody has to grant the permission. Until the deadline the request waits for that.
                self._ports.log.warning("key.not_permitted", why=str(error), **_ids(self._claim))
                self._ports.log.count("KeyNotPermitted")
                raise

    async def _find_account(
        self, progress: Progress, key: StripeKey
    ) -> AccountBinding | RefusedInFront:
        envelope = self._envelope
        with _putting_off(progress):
            found = await self._ports.accounts.find(
                key, stripe_context=envelope.stripe_context, within_s=self._time_left_s()
            )
        if isinstance(found, RefusedInFront):
            return found
        return bind_account(
            key,
            found,
            stripe_account=envelope.stripe_account,
            stripe_context=envelope.stripe_context,
        )

    async def _send_and_post(
        self, progress: Progress, key: StripeKey, account: AccountBinding
    ) -> Progress | None:
        token = secrets.token_hex(
            8
        )  # new for each send: a late command about an old one changes nothing
        answer = await self._open_send(
            progress, Send(token=token, account=account, attempt=progress.attempt)
        )
        if isinstance(answer, NoSend):
            return await self._act_on_no_send(progress, answer)
        sent = note_send(progress, answer, account)
        attempt = await self._post(key, within_s=self._time_left_s())
        # A connection that was never made may take the send back, so the copy must not carry its time.
        known = replace(progress, store_waits=0) if isinstance(attempt, NotSent) else sent
        decision = self._decide(known, attempt)
        await self._end_send(known, decision, attempt, token)
        return await self._act_on(known, decision, token)

    async def _open_send(self, progress: Progress, send: Send) -> Go | NoSend:
        """Ask for the send until its answer is fresh enough for the POST. Without an answer nothing is POSTed."""
        try:
            for asked_before in range(MOST_SENDS_ASKED):
                asked_at = (
                    self._ports.clock.now_s()
                )  # before: this process may be frozen while it waits
                answer = await self._ports.requests.send(self._claim, send)
                if isinstance(answer, NoSend):
                    if asked_before:
                        await self._take_back(send.token)
                    return answer
                if self._ports.clock.now_s() - asked_at <= SEND_AGE_S:
                    return answer
            raise Unavailable("Redis answered too late for the call.")
        except Unavailable as error:
            await self._take_back(send.token)
            raise _PutOff(progress, str(error)) from error

    async def _take_back(self, token: str) -> None:
        """Take back a send that may have begun and was not followed by a POST. Left open, it is a false doubt."""
        try:
            await self._ports.requests.end_send(self._claim, token, SendEnd.NOT_CONNECTED)
        except Unavailable as error:
            self._ports.log.warning("send.not_taken_back", why=str(error), **_ids(self._claim))

    async def _act_on_no_send(self, progress: Progress, why: NoSend) -> Progress | None:
        match why:
            case NoSend.TOLD:
                with _putting_off(progress):
                    await mend_status(self._ports, self._claim.worker_slot, self._claim.request_id)
                self._line("request.duplicate", progress)
                return None
            case NoSend.PAST_HORIZON:
                await self._conclude(progress, give_up(progress, "horizon_passed"))
                return None
            case NoSend.OTHER_ACCOUNT:
                await self._wait_for_account(progress)
                return None
            case NoSend.CLOSED:
                return progress  # the next claim says how it ended
            case NoSend.NOT_OWNED:
                raise _PutOff(progress, "The request's slot was lost.")

    async def _wait_for_account(self, progress: Progress) -> None:
        """Wait for the key of the account that an earlier send may have had an effect in, until the deadline."""
        delay_s = store_backoff_s(progress.store_waits, 1.0)
        if self._ports.clock.now_s() + delay_s < progress.deadline_at:
            raise _PutOff(progress, "The key belongs to another account than an open send.")
        await self._conclude(progress, give_up(with_doubt(progress), "account_changed"))

    async def _post(self, key: StripeKey, *, within_s: float) -> Attempt:
        """Make one POST, abandoned as unknown rather than left to be killed with the invocation."""
        envelope, started = self._envelope, self._ports.clock.now_s()
        try:
            async with asyncio.timeout(within_s):
                return await self._ports.gateway.create(
                    endpoint=resource_named(envelope.object).endpoint,
                    params=with_mark(envelope.params, envelope.request_id),
                    key=key,
                    request_id=envelope.request_id,
                    stripe_account=envelope.stripe_account,
                    stripe_context=envelope.stripe_context,
                )
        except TimeoutError:
            return Unknown("The invocation ended before Stripe answered", "invocation_ended")
        finally:
            self._stripe_s += self._ports.clock.now_s() - started

    # After the attempt

    def _decide(self, progress: Progress, attempt: Attempt) -> Decision:
        return decide(attempt, progress, self._ports.clock.now_s(), self._ports.fraction())

    async def _end_send(
        self, progress: Progress, decision: Decision, attempt: Attempt, token: str
    ) -> None:
        """Write down how the send ended. An answer is told instead, and a close ends the send by itself."""
        end = send_end(attempt)
        if end is None or (isinstance(decision, Settled) and end is SendEnd.REFUSED):
            return
        latched = decision.progress if isinstance(decision, Again) else progress
        doubted = with_doubt(latched) if end is SendEnd.UNKNOWN else latched
        with _putting_off(doubted):
            await self._ports.requests.end_send(self._claim, token, end)

    async def _act_on(self, progress: Progress, decision: Decision, token: str) -> Progress | None:
        if not isinstance(decision, Again):
            await self._conclude(progress, decision, token)
            return None
        if await self._sleep(decision):
            return decision.progress
        await self._defer(decision.progress, decision.delay_s, why="backoff")
        return None

    async def _sleep(self, again: Again) -> bool:
        """Sleep a short wait out while other requests go on. False: it does not fit into this invocation."""
        retry_at = self._ports.clock.now_s() + again.delay_s
        if retry_at > self._receive.until - LEAST_CALL_S:
            return False
        with _putting_off(again.progress):
            await self._mark_retrying(again.progress, retry_at)
        await self._ports.clock.sleep(again.delay_s)
        return True

    async def _conclude(
        self, progress: Progress, decision: Settled | GivenUp, token: str = ""
    ) -> None:
        """Tell the end, and park the message of a request that was given up."""
        outcome = decision.outcome
        if isinstance(outcome, Error) and outcome.settled and not outcome.answered:
            stands = await self._close(progress, outcome, token)
            if stands is None:
                return
            outcome = stands
        await self._tell(progress, outcome)
        if isinstance(decision, GivenUp):
            await self._park(progress_for_copy(progress, decision.outcome), decision.outcome)

    async def _close(self, progress: Progress, error: Error, token: str) -> Error | None:
        """End the request unexecuted. Return the end that stands; None: an end was told before."""
        with _putting_off(progress):
            stands = await self._ports.requests.close(self._claim, error, token=token)
            if stands is Disputed.TOLD:
                await mend_status(self._ports, self._claim.worker_slot, self._claim.request_id)
                return None
            if stands is Disputed.MAYBE_EXECUTED:
                if token:
                    await self._ports.requests.end_send(self._claim, token, SendEnd.REFUSED)
                raise _PutOff(progress, "Another delivery may still have an effect.")
        return stands

    async def _tell(self, progress: Progress, outcome: Outcome) -> None:
        now_s = self._ports.clock.now_s()
        entry = entry_for(self._envelope.at(progress), self._claim, outcome, now_s)
        # Only this process knows the answer: until it is told, no later refusal may say "not created".
        with _putting_off(progress_for_copy(progress, outcome)):
            first = await report_end(self._ports, entry, self._claim.worker_slot)
        error = outcome.as_dict() if isinstance(outcome, Error) else {}
        self._line(
            "request.settled" if first else "request.settled_before",
            progress,
            flow=entry.flow_name,
            stripe_request_id=outcome.stripe_request_id,
            **{
                f"error_{name}": error.get(name)
                for name in ("kind", "code", "certainty", "message")
            },
        )

    async def _tell_reused(self, progress: Progress) -> None:
        """Tell the second request under a used id that it was not executed, in its own worker and under its own id."""
        claim, error = self._claim.as_second_request(), error_for_reused_id()
        unsent = self._envelope.at(Progress(deadline_at=progress.deadline_at))
        entry = entry_for(unsent, claim, error, self._ports.clock.now_s())
        told = await end_unsent(self._ports, claim, error, entry)
        if told is None:
            self._line("request.duplicate", progress)
            return
        self._ports.log.warning(
            "request.id_reused", told_under=told.request_id, **_ids(self._claim)
        )
        self._ports.log.count("IdempotencyKeyReused")

    async def _park(self, progress: Progress, error: Error) -> None:
        message = self._envelope.at(progress).as_message()
        with _putting_off(progress):
            await self._ports.queue.park(
                message, reason=error.code or error.kind.value, kind=error.kind
            )
        self._ports.log.count("RequestParked")

    # Waiting

    async def _defer_for_store(self, put_off: _PutOff) -> None:
        progress = put_off.progress
        delay_s = store_backoff_s(progress.store_waits, self._ports.fraction())
        waited = replace(progress, store_waits=progress.store_waits + 1)
        await self._defer(waited, delay_s, why=str(put_off), claimed=put_off.claimed)

    async def _defer(
        self, progress: Progress, delay_s: float, *, why: str, claimed: bool = True
    ) -> None:
        delay_s = min(delay_s, QUEUE_DELAY_LIMIT_S)
        if claimed:
            try:
                await self._mark_retrying(progress, self._ports.clock.now_s() + delay_s)
            except Unavailable as error:
                self._ports.log.warning("status.not_written", why=str(error))
        await self._ports.queue.defer(self._envelope.at(progress), delay_s)
        self._line("request.deferred", progress, delay_s=round(delay_s, 3), why=why)

    async def _mark_retrying(self, progress: Progress, retry_at: float) -> None:
        await self._ports.requests.mark_retrying(
            self._claim, retry_at, attempts=progress.attempt - 1
        )

    def _time_left_s(self) -> float:
        return self._receive.until - self._ports.clock.now_s()

    def _dispatcher_error(
        self, progress: Progress, code: str, message: str, param: str | None = None
    ) -> Error:
        return Error(
            kind=ErrorKind.DISPATCHER,
            code=code,
            message=message,
            param=param,
            attempts=progress.attempt - 1,
            certainty=progress.certainty,
        )

    def _line(self, event: str, progress: Progress, **fields: object) -> None:
        envelope = self._envelope
        self._ports.log.info(
            event,
            **_ids(self._claim),
            lane=envelope.lane.value,
            attempt=progress.attempt,
            maybe_executed=progress.maybe_executed,
            receive_count=self._receive.receive_count,
            stripe_ms=round(self._stripe_s * 1000),
            age_ms=round((self._ports.clock.now_s() - envelope.accepted_at) * 1000),
            traceparent=envelope.traceparent,
            **fields,
        )


def _ids(claim: Claim) -> dict[str, object]:
    """Return the ids that stand on every line about a request."""
    return {
        "request_id": claim.request_id,
        "object": claim.object,
        "worker_id": claim.worker_id,
        "context_id": claim.context_id,
        "principal": claim.principal,
    }
