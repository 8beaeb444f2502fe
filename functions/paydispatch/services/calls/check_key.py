"""The breaker of a Stripe key: it keeps requests from a key that Stripe has just refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.attempts import RefusedInFront
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.rates.feedback import UNAUTHORIZED, refuses_key, shows_key_taken
from paydispatch.domain.stripe.accounts import hash_of
from paydispatch.services.calls.defer import defer_if_unavailable

if TYPE_CHECKING:
    from paydispatch.domain.attempts import Attempt
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.progress import Progress
    from paydispatch.domain.rates.tokens import Postponed
    from paydispatch.services.calls.call import Call


async def find_open_breaker(call: Call, progress: Progress, key: StripeKey) -> Postponed | None:
    """Return the open breaker of the key, or None if the call may go. Raises `DeferCall`."""
    with defer_if_unavailable(progress):
        return await call.ports.key_breakers.check(hash_of(key), call.envelope.operation)


async def tell_breaker(call: Call, key: StripeKey, attempt: Attempt) -> None:
    """Open the key's breaker if Stripe refused the key, and close it if Stripe answered.

    A 403 concerns one operation, because a restricted key may have the permission for others.
    """
    breakers, operation = call.ports.key_breakers, call.envelope.operation
    try:
        if refuses_key(attempt):
            whole = isinstance(attempt, RefusedInFront) and attempt.http_status == UNAUTHORIZED
            if await breakers.open(hash_of(key), None if whole else operation):
                call.ports.log.count("BreakerOpened")
                call.warn("breaker.opened", key_sha256=hash_of(key)[:12])
        elif shows_key_taken(attempt):
            await breakers.close(hash_of(key), operation)
    except Unavailable as error:
        call.warn("breaker.not_told", why=str(error))
