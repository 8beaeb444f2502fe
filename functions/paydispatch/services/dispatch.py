"""Dispatch: one envelope in, one outcome out, however often its message is delivered.

A dispatch ends *done* (acknowledge the message) or raises `Unavailable` (the queue keeps it). Nothing is done before
what replaces the message is durable: an outcome on the stream, or a delayed copy on the queue.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from paydispatch.domain.attempts import NotSent, Unknown
from paydispatch.domain.entry import entry_for
from paydispatch.domain.envelope import check_copy_size
from paydispatch.domain.errors import BadRequest, CannotOpen, InvalidParams, Unavailable
from paydispatch.domain.outcomes import Error, ErrorKind, Outcome
from paydispatch.domain.resources import resource_named
from paydispatch.domain.retry import Again, Decision, GivenUp, Progress, Settled, decide, may_send
from paydispatch.domain.schema import check_params
from paydispatch.domain.units import QUEUE_DELAY_LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.envelope import Envelope
    from paydispatch.ports import (
        Clock,
        DispatchQueue,
        Doorbell,
        Journal,
        OutcomeStream,
        Seen,
        StripeGateway,
        Vault,
    )

STORE_RETRY_S = 5.0
"""While Redis, KMS or Secrets Manager is away, a message waits this long before it is looked at again."""

LEAST_CALL_S = 1.0
"""With less time left a call is likelier to be abandoned than answered, and would leave a doubt for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchPorts:
    """What dispatching needs of the world."""

    gateway: StripeGateway
    vault: Vault
    outcomes: OutcomeStream
    queue: DispatchQueue
    doorbell: Doorbell
    clock: Clock
    journal: Journal
    fraction: Callable[[], float]
    """A random number in [0, 1): the jitter of the backoff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the queue says about the message the envelope came in."""

    receive_count: int
    """How often it has been given out, this time included."""
    last_receive: bool
    """The queue dead-letters it by itself after this one."""
    first_received_at: float
    """Unix seconds."""
    until: float
    """Unix seconds: when this invocation must have nothing in flight any more."""


class Dispatch:
    """The work on one envelope within one invocation."""

    def __init__(self, ports: DispatchPorts, envelope: Envelope, delivery: Delivery) -> None:
        self._ports = ports
        self._envelope = envelope
        self._delivery = delivery
        self._name = secrets.token_hex(8)
        """Tells this delivery from others of the same request."""
        self._stripe_s = 0.0

    async def run(self) -> None:
        """Bring the request to its outcome, or defer it. Raises `Unavailable` when neither could be made durable."""
        try:
            await self._run()
        except Unavailable as error:
            # A delayed copy costs no receive, so waiting for a store dead-letters nothing.
            await self._defer(STORE_RETRY_S, why=str(error))

    async def _run(self) -> None:
        if not await self._begun():
            return
        refusal = self._refusal()
        if refusal is not None:
            await self._end(refusal)
            return
        # Before the key is opened: a vault that stays away must not outlast the deadline.
        ended = may_send(self._envelope.progress, self._ports.clock.now_s())
        if ended is not None:
            await self._conclude(ended)
            return
        try:
            key = await self._ports.vault.open(self._envelope)
        except CannotOpen as error:
            await self._end(self._dispatcher_error("key_not_opened", str(error)))
            return
        await self._attempt_until_settled(key)

    async def _begun(self) -> bool:
        """Write down that an attempt begins. False: the request is settled, and this message a duplicate."""
        try:
            seen = await self._ports.outcomes.begin(self._envelope.at(self._told()), by=self._name)
        except Unavailable:
            self._envelope = self._envelope.at(self._untold())
            raise
        if seen.settled:
            self._line("request.duplicate")
            return False
        self._envelope = self._envelope.at(resumed(self._envelope.progress, seen, self._delivery))
        return True

    def _told(self) -> Progress:
        """What Redis is told, should it know nothing: an earlier receive may have called Stripe and died.

        All must count the horizon from one moment: this delivery, its copies, and whoever reconciles.
        """
        progress, delivery = self._envelope.progress, self._delivery
        return progress.sending(delivery.first_received_at) if self._received_before else progress

    def _untold(self) -> Progress:
        """What a copy must know when Redis could not say what an earlier receive did: it may have called Stripe."""
        progress = self._told()
        return replace(progress, maybe_executed=True) if self._received_before else progress

    @property
    def _received_before(self) -> bool:
        return self._delivery.receive_count > 1

    def _refusal(self) -> Error | None:
        """What keeps the envelope from Stripe. The queue is trusted no more than the callers of the door are."""
        if self._delivery.last_receive:
            # Whatever killed the earlier receives may have killed them after the POST. Without a time of it, now is the
            # time: Redis knows of no earlier one, and without any nobody could ever prove that nothing was created.
            progress = self._envelope.progress.sending(self._ports.clock.now_s())
            self._envelope = self._envelope.at(replace(progress, maybe_executed=True))
            return self._dispatcher_error(
                "last_receive", "Every worker that took this request died."
            )
        try:
            self._check()
        except BadRequest as error:
            return self._dispatcher_error(error.code, str(error), error.param)
        return None

    def _check(self) -> None:
        """What the door checks. Raises `BadRequest`."""
        resource_named(self._envelope.object)
        errors = check_params(self._envelope.object, self._envelope.params)
        if errors:
            raise InvalidParams(errors)
        check_copy_size(self._envelope)

    async def _attempt_until_settled(self, key: StripeKey) -> None:
        while True:
            ended = may_send(self._envelope.progress, self._ports.clock.now_s())
            decision = ended or await self._attempt(key)
            if not isinstance(decision, Again):
                await self._conclude(decision)
                return
            self._envelope = self._envelope.at(decision.progress)
            if not await self._slept(decision.delay_s):
                await self._defer(decision.delay_s, why="backoff")
                return
            if not await self._begun():
                return

    async def _attempt(self, key: StripeKey) -> Decision:
        started = self._ports.clock.now_s()
        self._envelope = self._envelope.at(self._envelope.progress.sending(started))
        attempt = await self._call(key, within_s=self._delivery.until - started)
        now_s = self._ports.clock.now_s()
        self._stripe_s += now_s - started
        return decide(attempt, self._envelope.progress, now_s, self._ports.fraction())

    async def _call(self, key: StripeKey, *, within_s: float) -> Attempt:
        """One POST, abandoned as unknown rather than left to be killed with the invocation."""
        if within_s < LEAST_CALL_S:
            return NotSent("The invocation had no time left for a call", "invocation_ending")
        envelope = self._envelope
        try:
            async with asyncio.timeout(within_s):
                return await self._ports.gateway.create(
                    endpoint=resource_named(envelope.object).endpoint,
                    params=marked(envelope),
                    key=key,
                    request_id=envelope.request_id,
                    stripe_account=envelope.stripe_account,
                )
        except TimeoutError:
            return Unknown("The invocation ended before Stripe answered", "invocation_ended")

    async def _slept(self, delay_s: float) -> bool:
        """Sleep a short wait out while other requests go on. False: it does not fit into this invocation."""
        retry_at = self._ports.clock.now_s() + delay_s
        if retry_at > self._delivery.until - LEAST_CALL_S:
            return False
        await self._ports.outcomes.waiting(self._envelope, retry_at, by=self._name)
        await self._ports.clock.sleep(delay_s)
        return True

    async def _defer(self, delay_s: float, *, why: str) -> None:
        delay_s = min(delay_s, QUEUE_DELAY_LIMIT_S)
        retry_at = self._ports.clock.now_s() + delay_s
        try:
            await self._ports.outcomes.waiting(self._envelope, retry_at, by=self._name)
        except Unavailable as error:
            self._ports.journal.trouble("status.not_written", why=str(error))
        await self._ports.queue.defer(self._envelope, delay_s)
        self._line("request.deferred", delay_s=round(delay_s, 3), why=why)

    async def _conclude(self, decision: Settled | GivenUp) -> None:
        doubted = self._envelope.at(doubting(self._envelope.progress, decision.outcome))
        try:
            await self._publish(decision.outcome)
        except Unavailable:
            # Only this process knows what happened: no later refusal may say "not created".
            self._envelope = doubted
            raise
        if isinstance(decision, GivenUp):
            self._envelope = doubted
            await self._park(decision.outcome)

    async def _end(self, error: Error) -> None:
        """An end Stripe did not decide: settled unless an earlier attempt left doubt, which an operator must see."""
        await self._conclude(Settled(error) if error.settled else GivenUp(error))

    async def _publish(self, outcome: Outcome) -> None:
        entry = entry_for(self._envelope, outcome, self._ports.clock.now_s())
        # In doubt only an answer settles, and that speaks for every delivery under this key.
        sole = None if self._envelope.progress.maybe_executed else self._name
        first = await self._ports.outcomes.publish(entry, sole=sole)
        await self._ports.doorbell.ring(entry.worker_id)
        error = outcome.as_dict() if isinstance(outcome, Error) else {}
        self._line(
            "request.settled" if first else "request.settled_before",
            flow=entry.flow_name,
            stripe_request_id=outcome.stripe_request_id,
            **{
                f"error_{name}": error.get(name)
                for name in ("kind", "code", "certainty", "message")
            },
        )

    async def _park(self, error: Error) -> None:
        await self._ports.queue.park(
            self._envelope.as_message(), reason=error.code or error.kind.value, kind=error.kind
        )
        self._ports.journal.count("RequestParked")

    def _dispatcher_error(self, code: str, message: str, param: str | None = None) -> Error:
        progress = self._envelope.progress
        return Error(
            kind=ErrorKind.DISPATCHER,
            code=code,
            message=message,
            param=param,
            attempts=progress.attempt - 1,
            certainty=progress.certainty,
        )

    def _line(self, event: str, **fields: object) -> None:
        envelope, progress = self._envelope, self._envelope.progress
        self._ports.journal.line(
            event,
            request_id=envelope.request_id,
            object=envelope.object,
            worker_id=envelope.worker_id,
            context_id=envelope.context_id,
            principal=envelope.principal,
            lane=envelope.lane.value,
            attempt=progress.attempt,
            maybe_executed=progress.maybe_executed,
            receive_count=self._delivery.receive_count,
            stripe_ms=round(self._stripe_s * 1000),
            age_ms=round((self._ports.clock.now_s() - envelope.accepted_at) * 1000),
            traceparent=envelope.traceparent,
            **fields,
        )


def resumed(progress: Progress, seen: Seen, delivery: Delivery) -> Progress:
    """Add what Redis and the queue know about earlier receives to what the message says of itself.

    Where Redis remembers nothing and the queue has given the message out before, that receive died at a point
    nobody wrote down: it may have called Stripe.
    """
    in_doubt = seen.in_doubt if seen.known else delivery.receive_count > 1
    known = [at for at in (progress.first_sent_at, seen.first_sent_at) if at is not None]
    guess = delivery.first_received_at if in_doubt else None
    return replace(
        progress,
        maybe_executed=progress.maybe_executed or in_doubt,
        first_sent_at=min(known) if known else guess,
    )


def doubting(progress: Progress, outcome: Outcome) -> Progress:
    """What a copy of the message must know when its outcome stands nowhere, or is no last word."""
    not_created = isinstance(outcome, Error) and outcome.settled
    return progress if not_created else replace(progress, maybe_executed=True)


METADATA_LIMIT = 50
"""Pairs Stripe takes."""

MARK = "paydispatch_request_id"
"""The metadata pair by which an unknown attempt can be found again in Stripe's lists."""


def marked(envelope: Envelope) -> dict[str, object]:
    """The parameters as Stripe receives them: the caller's, and our mark where the metadata has room for it."""
    metadata = envelope.params.get("metadata") or {}
    if not isinstance(metadata, dict) or len(metadata) >= METADATA_LIMIT:
        return dict(envelope.params)
    return {**envelope.params, "metadata": {**metadata, MARK: envelope.request_id}}
