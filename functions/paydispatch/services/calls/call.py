"""The facts that all steps of one call share: its message, its claim, its ports and its log line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.claims import claim_of
from paydispatch.domain.outcomes import Error, ErrorKind
from paydispatch.domain.parameters.unchecked import logged_names
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.services.log_ids import log_ids, log_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.progress import Progress
    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.domain.stripe.repeats import Repeats
    from paydispatch.ports import (
        Accounts,
        AsyncLookQueue,
        AsyncQueue,
        Clock,
        Doorbell,
        Doubts,
        EventLog,
        KeyBreakers,
        Limiter,
        OutcomeStream,
        RequestSlots,
        StripeGateway,
        StripeLists,
        UnknownOutcomes,
        Vault,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPorts:
    """The ports of a call."""

    requests: RequestSlots
    outcomes: OutcomeStream
    accounts: Accounts
    key_breakers: KeyBreakers
    limiter: Limiter
    gateway: StripeGateway
    lists: StripeLists
    unknown_outcomes: UnknownOutcomes
    doubts: Doubts
    look_queue: AsyncLookQueue
    vault: Vault
    queue: AsyncQueue
    doorbell: Doorbell
    clock: Clock
    log: EventLog
    fraction: Callable[[], float]
    """Returns a random number in [0, 1) for the jitter of the backoff."""
    queue_tenant: str
    """The tenant of programs that write to the queue themselves."""
    stripe_api_version: str = STRIPE_API_VERSION
    """The version that calls name to Stripe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive:
    """One receive of a queue message."""

    receive_count: int
    """How often SQS has delivered the message, this time included."""
    last_receive: bool
    """After this receive SQS moves the message to the exhausted queue, or it has come from there."""
    until: float
    """Unix seconds. After this time the invocation must have no call in flight."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The operation that a checked message asks for."""

    operation: Operation
    path: str
    """Its path at Stripe, with the ids of the message."""
    repeats: Repeats


class Call:
    """The work on one message within one invocation."""

    def __init__(self, ports: CallPorts, envelope: Envelope, receive: Receive) -> None:
        self.ports = ports
        self.envelope = envelope
        self.receive = receive
        self.claim = claim_of(envelope, ports.queue_tenant, ports.clock.now_s())
        self.stripe_s = 0.0
        """Seconds that Stripe has taken so far, for the log."""
        self.waited_s = 0.0
        """Seconds that the request has waited for rate tokens in this invocation, for the log."""

    def time_left_s(self) -> float:
        """Return the seconds until this invocation must have no call in flight."""
        return self.receive.until - self.ports.clock.now_s()

    def dispatcher_error(
        self, progress: Progress, code: str, message: str, param: str | None = None
    ) -> Error:
        """Return an error of paydispatch itself. Its certainty is that of `progress`."""
        return Error(
            kind=ErrorKind.DISPATCHER,
            code=code,
            message=message,
            param=param,
            attempts=progress.attempt - 1,
            certainty=progress.certainty,
        )

    def log(self, event: str, progress: Progress, **fields: object) -> None:
        """Write one log line with everything that is known about the request."""
        envelope = self.envelope
        self.ports.log.info(
            event,
            **log_ids(self.claim),
            lane=envelope.lane.value,
            attempt=progress.attempt,
            maybe_executed=progress.maybe_executed,
            receive_count=self.receive.receive_count,
            stripe_ms=round(self.stripe_s * 1000),
            waited_ms=round(self.waited_s * 1000),
            age_ms=round((self.ports.clock.now_s() - envelope.accepted_at) * 1000),
            **log_trace(envelope.traceparent),
            **logged_names(envelope.unchecked_params),
            **fields,
        )

    def warn(self, event: str, **fields: object) -> None:
        """Write one log line that an operator should look at."""
        self.ports.log.warning(
            event, **log_ids(self.claim), **log_trace(self.envelope.traceparent), **fields
        )
