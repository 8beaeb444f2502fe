"""The requests of one pass: those that share a list, and those that are looked up one by one.

A candidate holds no parameters and no key, so that a pass of a thousand requests needs little memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from paydispatch.domain.errors import BadRequest
from paydispatch.domain.looks.intervals import unread
from paydispatch.domain.operators.lookups import windows
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import ByMark, proof_of
from paydispatch.services.lookups.absence import is_marked

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.lookups import Window
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.domain.stripe.listings import Listing
    from paydispatch.domain.unknown_outcomes import UnknownOutcome


class ListKey(NamedTuple):
    """Requests with the same values find their objects in the same list, and may share a key to read it."""

    tenant: str
    mode: str
    headers: str
    path: str
    operation: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One request of a shared list."""

    worker: str
    request_id: str
    account: AccountBinding | None
    near: tuple[Window, ...]
    """The windows near the first send, without the parts that an earlier pass has read."""
    rest: tuple[Window, ...]
    whole: bool
    """Whether the pass reads its whole windows, so that an absence can be proof."""


def shared_list(unknown: UnknownOutcome) -> ListKey | None:
    """Return the list that the request shares with others. None: it is looked up alone.

    Alone are requests that one GET proves, those whose account is not recorded, and those whose list needs a parameter
    of their own. Those are the lists of test clocks too.
    """
    entry, account = unknown.entry, unknown.account
    listing = _listing(entry)
    if listing is None or account is None or not is_marked(entry):
        return None
    own = [*listing.needs, *(() if account.mode == "live" else listing.clocked_by)]
    if not listing.dated or any(entry.params.get(name) for name in own) or listing.needs:
        return None
    if entry.sealed_secret is None and entry.secret_ref is None:
        return None
    operation = operation_named(entry.operation)
    path = operation.endpoint(entry.path)
    return ListKey(entry.tenant or "", account.mode, account.headers, path, operation.name)


def make_candidate(unknown: UnknownOutcome, seen_until: float, now_s: float) -> Candidate:
    """Return the candidate. `seen_until`: its list was read up to this time of Stripe's clock (0: never)."""
    provable_at = unknown.provable_at
    whole = not seen_until or (provable_at is not None and now_s >= provable_at)
    near, *rest = windows(unknown)
    seen = 0.0 if whole else seen_until
    return Candidate(
        unknown.worker,
        unknown.entry.request_id,
        unknown.account,
        unread([near], seen),
        unread(rest, seen),
        whole,
    )


def _listing(entry: OutcomeEntry) -> Listing | None:
    try:
        proof = proof_of(operation_named(entry.operation))
    except BadRequest:  # an operation that this release does not know
        return None
    return proof.listing if isinstance(proof, ByMark) else None
