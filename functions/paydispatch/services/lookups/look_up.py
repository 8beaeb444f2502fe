"""Look up one unknown outcome at Stripe: open the request's key, check the key's account, and read lists or the object.

A lookup writes nothing at Stripe. `domain/operators/lookups.py` decides about the outcome by the result.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.errors import BadRequest, CannotOpen, NotPermitted
from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.operators.lookup_results import (
    Found,
    Inconclusive,
    LookupResult,
    NotFound,
    both,
)
from paydispatch.domain.operators.lookups import windows
from paydispatch.domain.operators.object_states import read_absence, read_state
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import (
    ByMark,
    ByState,
    NoProof,
    own_id,
    own_path,
    proof_of,
)
from paydispatch.domain.unknown_outcomes import envelope_of
from paydispatch.services.lookups.absence import UNMARKED, doubt_absence, is_marked
from paydispatch.services.lookups.own_account import NO_ACCOUNT, check_account
from paydispatch.services.lookups.own_reads import fetch_own, turn_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.lookups import Window
    from paydispatch.domain.stripe.listings import Listing
    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.domain.stripe.proofs import Proof
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import ReadTurn
    from paydispatch.services.lookups.ports import LookupPorts

LOOKUP_TIMEOUT_S = 60.0
"""Seconds for all pages of one request. The reconciler keeps this time for the last lookup of an invocation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much one lookup reads."""

    windows: Callable[[UnknownOutcome], tuple[Window, ...]] = windows
    """The windows of a dated list that are read, in order."""
    most_reads: int | None = None
    """The most GETs. None: as many as the list has pages, up to the limit of the adapter."""


WHOLE = Extent()


class _ReadsSpent(Exception):
    """The lookup has made all the reads that its extent allows."""


async def look_up(
    ports: LookupPorts, unknown: UnknownOutcome, *, same_account: bool, extent: Extent = WHOLE
) -> LookupResult:
    """Return whether Stripe shows the effect of the request, or the reason why the lookup proves nothing.

    `same_account`: an operator declares that the request's key belongs to the account that the request was sent to.
    A lookup of less than the `WHOLE` extent proves no absence. Raises `Unavailable`.
    """
    entry = unknown.entry
    try:
        asked = _Asked.of(entry)
    except BadRequest as error:  # an operation that this release does not know
        return Inconclusive(error.message)
    if isinstance(asked.proof, NoProof):
        return Inconclusive(asked.proof.why)
    if isinstance(asked.proof, ByMark) and not is_marked(entry):
        return Inconclusive(UNMARKED)
    if entry.sealed_secret is None and entry.secret_ref is None:
        return Inconclusive("Its message held no key to read Stripe's lists with.")
    try:
        key = await ports.vault.open(envelope_of(entry))
        wrong_account = await check_account(ports, unknown, key, same_account=same_account)
        return wrong_account or await _look(ports, unknown, asked, key, extent)
    except (CannotOpen, NotPermitted) as error:
        return Inconclusive(str(error))


@dataclass(frozen=True, slots=True)
class _Asked:
    """The operation of the request, and its proof."""

    operation: Operation
    path: str
    """Its path at Stripe. The list of a create is there."""
    proof: Proof

    @classmethod
    def of(cls, entry: OutcomeEntry) -> _Asked:
        """Raises `BadRequest` for an operation or a path that this release does not know."""
        operation = operation_named(entry.operation)
        return cls(operation, operation.endpoint(entry.path), proof_of(operation))


async def _look(
    ports: LookupPorts, unknown: UnknownOutcome, asked: _Asked, key: StripeKey, extent: Extent
) -> LookupResult:
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT_S):
            if isinstance(asked.proof, ByMark):
                found = await _search(ports, unknown, asked, asked.proof.listing, key, extent)
                return await doubt_absence(ports, unknown, asked.proof, found)
            return await _fetch(ports, unknown, asked, key)
    except TimeoutError:
        return Inconclusive(f"Stripe was not read to the end in {LOOKUP_TIMEOUT_S:.0f} s.")
    except _ReadsSpent:
        return Inconclusive(
            f"The object is not on the {extent.most_reads} pages of Stripe's list that were read."
        )


async def _search(
    ports: LookupPorts,
    unknown: UnknownOutcome,
    asked: _Asked,
    listing: Listing,
    key: StripeKey,
    extent: Extent,
) -> LookupResult:
    """Search one window after the other. The object counts as not found only if no window holds it."""
    entry, chosen = unknown.entry, extent.windows(unknown)
    turn = turn_of(ports, unknown, key, f"list_{entry.object}")
    if extent.most_reads is not None:
        turn = _limited(turn, extent.most_reads)
    # An undated list is read as a whole, so that one search covers every window.
    searched = chosen if listing.dated else chosen[:1]
    result: NotFound | Inconclusive | None = None
    for window in searched:
        latest = await ports.lists.find_created(
            path=asked.path,
            listing=listing,
            params=entry.params,
            mark=(MARK, entry.request_id),
            within=window,
            key=key,
            stripe_account=entry.stripe_account,
            stripe_context=entry.stripe_context,
            turn=turn,
        )
        if isinstance(latest, Found):
            return latest
        result = latest if result is None else both(result, latest)
    return result or Inconclusive("There is no time window to search.")


def _limited(turn: ReadTurn, most_reads: int) -> ReadTurn:
    """Return `turn`, which raises `_ReadsSpent` after `most_reads` reads."""
    left = iter(range(most_reads))

    async def limited() -> None:
        if next(left, None) is None:
            raise _ReadsSpent
        await turn()

    return limited


async def _fetch(
    ports: LookupPorts, unknown: UnknownOutcome, asked: _Asked, key: StripeKey
) -> LookupResult:
    """Fetch the object that the operation acts on, and read its state or its absence."""
    entry, operation = unknown.entry, asked.operation
    if unknown.account is None:  # in another account a missing object proves nothing
        return Inconclusive(NO_ACCOUNT)
    path, read = own_path(operation, entry.path), f"retrieve_{entry.object}"
    fetched = await fetch_own(ports, unknown, key, path=path, read=read)
    if isinstance(fetched, Inconclusive):
        return fetched
    if isinstance(asked.proof, ByState):
        own = own_id(operation, entry.path)
        return read_state(asked.proof.rule, own, entry.params, fetched)
    return read_absence(operation, entry.path, min(unknown.firsts, default=None), fetched)
