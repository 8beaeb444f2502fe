"""Open the Stripe key of a request, and find the account that it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.attempts import RefusedInFront
from paydispatch.domain.errors import NotPermitted
from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.services.calls.defer import defer_if_unavailable

if TYPE_CHECKING:
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.progress import Progress
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.services.calls.call import Call


async def open_key(call: Call, progress: Progress) -> StripeKey:
    """Return the key. Raises `CannotOpen` (final), or `DeferCall` while it cannot be opened yet."""
    with defer_if_unavailable(progress):
        try:
            return await call.ports.vault.open(call.envelope)
        except NotPermitted as error:
            # An operator has to grant the permission. Until its deadline the request waits for that.
            call.warn("key.not_permitted", why=str(error))
            call.ports.log.count("KeyNotPermitted")
            raise


async def find_account(
    call: Call, progress: Progress, key: StripeKey
) -> AccountBinding | RefusedInFront:
    """Return the account in which the call would act, or Stripe's refusal of the key."""
    envelope = call.envelope
    with defer_if_unavailable(progress):
        found = await call.ports.accounts.find(
            key, stripe_context=envelope.stripe_context, within_s=call.time_left_s()
        )
    if isinstance(found, RefusedInFront):
        return found
    return bind_account(
        key,
        found,
        stripe_account=envelope.stripe_account,
        stripe_context=envelope.stripe_context,
    )
