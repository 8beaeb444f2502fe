"""Take the rate tokens of a call before its send, so that a request that only waits was never sent.

A short wait is slept while other requests go on. After a longer one a copy of the message comes again, because a caller
that sleeps holds the concurrency that other accounts need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.limits import QUEUE_DELAY_LIMIT_S
from paydispatch.domain.rates.account_limits import PAUSED_WAIT_S
from paydispatch.domain.rates.feedback import RATE_REFUSALS, Feedback, feedback_of
from paydispatch.domain.rates.lanes import LONGEST_WAIT_S, RateLane
from paydispatch.domain.rates.tokens import Granted, Postponed, TokenAsk, Why
from paydispatch.domain.rates.waiting import Waiting
from paydispatch.services.calls.defer import defer, defer_if_unavailable

if TYPE_CHECKING:
    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.progress import Progress
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.services.calls.call import Call

JITTER = 0.2
"""The part of a delay that is drawn at random, up or down, so that deferred copies do not come back together."""


async def take_tokens(
    call: Call, progress: Progress, account: AccountBinding, *, until: float
) -> Granted | Postponed:
    """Take the tokens of one call and wait for its turn, until `until` (unix seconds) at the latest.

    Raises `DeferCall` while the limiter is unavailable.
    """
    clock, limiter = call.ports.clock, call.ports.limiter
    until = min(until, progress.deadline_at, clock.now_s() + LONGEST_WAIT_S)
    while True:
        ask = TokenAsk(
            account=account.rate_account,
            operation=call.envelope.operation,
            lane=RateLane.of(call.envelope.lane),
            longest_wait_s=max(0.0, until - clock.now_s()),
        )
        with defer_if_unavailable(progress):
            answer = await limiter.take(ask)
        if isinstance(answer, Granted):
            await _wait(call, answer.wait_s)
            with defer_if_unavailable(progress):
                if not answer.must_be_confirmed or await limiter.confirm(answer):
                    return answer
        elif answer.why is not Why.IN_FLIGHT or clock.now_s() + answer.delay_s > until:
            return answer
        else:
            await _wait(call, answer.delay_s)


async def postpone(
    call: Call, progress: Progress, postponed: Postponed, account: AccountBinding | None = None
) -> None:
    """Defer the request, until its deadline at most. It was never sent, so its progress stays as it is."""
    longest_s = PAUSED_WAIT_S if postponed.why is Why.PAUSED else QUEUE_DELAY_LIMIT_S
    delay_s = spread_delay_s(postponed.delay_s, call.ports.fraction(), longest_s)
    time_left_s = max(1.0, progress.deadline_at - call.ports.clock.now_s())
    call.ports.log.count("RateDeferred")
    delay_s = min(delay_s, time_left_s)
    await defer(
        call,
        progress,
        delay_s,
        why=postponed.why.value,
        account=account,
        waiting=Waiting(
            why=postponed.why,
            lane=call.envelope.lane,
            account=None if account is None else account.rate_account,
        ),
    )


def spread_delay_s(
    delay_s: float, fraction: float, longest_s: float = QUEUE_DELAY_LIMIT_S
) -> float:
    """Return the delay with jitter. A delay near `longest_s` is only shortened."""
    upwards = JITTER if delay_s * (1 + JITTER) <= longest_s else 0.0
    return delay_s * (1 - JITTER + (JITTER + upwards) * fraction)


async def report_attempt(call: Call, granted: Granted, attempt: Attempt) -> None:
    """Tell the limiter how the call ended. The call goes on to its end even if the limiter is unavailable."""
    feedback = feedback_of(attempt)
    if feedback in RATE_REFUSALS:
        call.ports.log.count("RateLimited")
    await report(call, granted, feedback)


async def report(call: Call, granted: Granted, feedback: Feedback) -> None:
    """Give the grant back to the limiter, with what its call has shown."""
    try:
        change = await call.ports.limiter.report(granted, feedback)
    except Unavailable as error:
        call.warn("limiter.not_told", why=str(error))
        return
    if change.shrunk_to is not None:
        call.ports.log.count("LimitShrunk")
        account = granted.ask.account
        call.warn("limit.shrunk", account=account, limit=feedback.value, to=change.shrunk_to)
    if change.breaker_opened:
        call.ports.log.count("BreakerOpened")
        call.warn("breaker.opened", account=granted.ask.account)


async def _wait(call: Call, wait_s: float) -> None:
    if wait_s > 0:
        call.waited_s += wait_s
        await call.ports.clock.sleep(wait_s)
