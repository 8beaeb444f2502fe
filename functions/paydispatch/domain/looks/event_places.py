"""Compare the account and the mode of an event with those of a request's sends. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.domain.stripe.accounts import AccountBinding

NO_PLACE = "the account of the request's sends is not recorded"
OTHER_MODE = "the event is of the other mode than the request's sends"
OTHER_ACCOUNT = "the event is of another account than the request's sends"


def other_place(event: EventMessage, account: AccountBinding | None) -> str | None:
    """Return why the event cannot be about the request's sends. None: nothing speaks against it.

    An event of the destination's own account names no account, and a key may not ask for its own. Then the fetch with
    the request's key decides.
    """
    if account is None:
        return NO_PLACE
    if account.mode in ("live", "test") and event.livemode != (account.mode == "live"):
        return OTHER_MODE
    acting = (account.stripe_context or "").rpartition("/")[2] or account.stripe_account
    known = acting or account.account_id
    if event.account is not None and known is not None and event.account != known:
        return OTHER_ACCOUNT
    return None
