"""Open the key of a request, and check that it belongs to the account of the request's sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.attempts import RefusedInFront
from paydispatch.domain.errors import CannotOpen, NotPermitted
from paydispatch.domain.operators.lookup_results import Inconclusive
from paydispatch.domain.operators.lookups import other_account
from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.domain.unknown_outcomes import claim_of_unknown, envelope_of

if TYPE_CHECKING:
    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.services.lookups.ports import LookupPorts

ACCOUNT_TIMEOUT_S = 10.0
"""Seconds in which Stripe must name the account of a key."""

NO_ACCOUNT = (
    "The account of its sends is not recorded, so the object of no account proves anything."
)


async def open_own_key(ports: LookupPorts, unknown: UnknownOutcome) -> StripeKey | Inconclusive:
    """Return the request's key, if it belongs to the account of the request's sends. Raises `Unavailable`."""
    entry = unknown.entry
    if unknown.account is None:
        return Inconclusive(NO_ACCOUNT)
    if entry.sealed_secret is None and entry.secret_ref is None:
        return Inconclusive("Its message held no key to read Stripe's objects with.")
    try:
        key = await ports.vault.open(envelope_of(entry))
    except (CannotOpen, NotPermitted) as error:
        return Inconclusive(str(error))
    return await check_account(ports, unknown, key, same_account=False) or key


async def check_account(
    ports: LookupPorts, unknown: UnknownOutcome, key: StripeKey, *, same_account: bool
) -> Inconclusive | None:
    """Return why a lookup with this key proves nothing. None: the key belongs to the account of the sends."""
    entry = unknown.entry
    if unknown.account is None:
        return None
    found = await ports.accounts.find(
        key, stripe_context=entry.stripe_context, within_s=ACCOUNT_TIMEOUT_S
    )
    if isinstance(found, RefusedInFront):
        return Inconclusive(f"Stripe refuses its key with status {found.http_status}.")
    opened = bind_account(
        key,
        found,
        stripe_account=entry.stripe_account,
        stripe_context=entry.stripe_context,
    )
    why = other_account(unknown, opened, same=same_account)
    if why is None and not unknown.account.same_as(opened):
        await _accept_account(ports, unknown, opened)
    return why


async def _accept_account(
    ports: LookupPorts, unknown: UnknownOutcome, account: AccountBinding
) -> None:
    """Record the account that the operator declared to be the same, so that later lookups and sends accept it too."""
    entry = unknown.entry
    if unknown.slot_stands:
        await ports.requests.accept_account(claim_of_unknown(unknown), account)
    else:
        await ports.unknown_outcomes.accept_account(unknown.worker, entry.request_id, account)
    before = unknown.account
    ports.log.warning(
        "account.accepted",
        request_id=entry.request_id,
        worker_id=entry.worker_id,
        context_id=entry.context_id,
        principal=entry.principal,
        account_before=before.account_id if before else None,
        account=account.account_id,
    )
