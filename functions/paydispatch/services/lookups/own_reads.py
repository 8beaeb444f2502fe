"""Read one object in the account of a request, when it is the turn of the read."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.services.look_turns import wait_for_turn

if TYPE_CHECKING:
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.operators.lookup_results import Inconclusive
    from paydispatch.domain.operators.object_states import Fetched
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import ReadTurn
    from paydispatch.services.lookups.ports import LookupPorts


def turn_of(ports: LookupPorts, unknown: UnknownOutcome, key: StripeKey, read: str) -> ReadTurn:
    """Return the wait for the turn of one read in the account of the request."""
    account = unknown.account or bind_account(
        key,
        None,
        stripe_account=unknown.entry.stripe_account,
        stripe_context=unknown.entry.stripe_context,
    )
    return partial(wait_for_turn, ports, account.rate_account, read)


async def fetch_own(
    ports: LookupPorts, unknown: UnknownOutcome, key: StripeKey, *, path: str, read: str
) -> Fetched | Inconclusive:
    """Fetch the object at `path` in the request's account. `read` names the read."""
    entry = unknown.entry
    return await ports.lists.fetch(
        path=path,
        key=key,
        stripe_account=entry.stripe_account,
        stripe_context=entry.stripe_context,
        turn=turn_of(ports, unknown, key, read),
    )
