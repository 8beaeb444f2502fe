"""The breaker of a Stripe key: it keeps requests from a key that Stripe has just refused."""

from __future__ import annotations

import hashlib
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
        return await call.ports.key_breakers.check(_name_of(call, key), call.envelope.operation)


async def tell_breaker(call: Call, key: StripeKey, attempt: Attempt) -> None:
    """Open the key's breaker if Stripe refused the key, and close it if Stripe answered.

    A 403 concerns one operation, because a restricted key may have the permission for others.
    """
    breakers, operation = call.ports.key_breakers, call.envelope.operation
    name = _name_of(call, key)
    try:
        if refuses_key(attempt):
            whole = isinstance(attempt, RefusedInFront) and attempt.http_status == UNAUTHORIZED
            if await breakers.open(name, None if whole else operation):
                call.ports.log.count("BreakerOpened")
                call.warn("breaker.opened", key_sha256=name[:12])
        elif shows_key_taken(attempt):
            await breakers.close(name, operation)
    except Unavailable as error:
        call.warn("breaker.not_told", why=str(error))


def _name_of(call: Call, key: StripeKey) -> str:
    """Return the name of the breaker: the key's hash, or one for the key in the account that the call acts in.

    Stripe answers 403 too if a platform's key has lost the access to one connected account. That says nothing about its
    other accounts.
    """
    envelope, name = call.envelope, hash_of(key)
    if envelope.stripe_account is None and envelope.stripe_context is None:
        return name
    acting = f"{name} {envelope.stripe_account or ''} {envelope.stripe_context or ''}"
    return hashlib.sha256(acting.encode()).hexdigest()
