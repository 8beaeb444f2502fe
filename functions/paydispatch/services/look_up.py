"""Look up one unknown outcome at Stripe: open the request's key, check the key's account, and read lists or the object.

A lookup writes nothing at Stripe. `domain/operators/lookups.py` decides about the outcome by the result.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.attempts import RefusedInFront
from paydispatch.domain.errors import BadRequest, CannotOpen, NotPermitted
from paydispatch.domain.identity.marks import MARK, with_mark
from paydispatch.domain.operators.lookup_results import (
    CLOCKS_APART_S,
    Found,
    Inconclusive,
    LookupResult,
    NotFound,
    both,
)
from paydispatch.domain.operators.lookups import other_account, windows
from paydispatch.domain.operators.object_states import read_absence, read_state
from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.proofs import (
    INCOMPLETE_LIST,
    ByMark,
    ByState,
    NoProof,
    own_id,
    own_path,
    proof_of,
)
from paydispatch.domain.unknown_outcomes import LAST_CALL_S, claim_of_unknown, envelope_of
from paydispatch.services.look_turns import TurnPorts, wait_for_turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.lookups import Window
    from paydispatch.domain.operators.object_states import Fetched
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.domain.stripe.listings import Listing
    from paydispatch.domain.stripe.operations import Operation
    from paydispatch.domain.stripe.proofs import Proof
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.ports import (
        Accounts,
        EventLog,
        ReadTurn,
        RequestSlots,
        StripeLists,
        UnknownOutcomes,
        Vault,
    )

LOOKUP_TIMEOUT_S = 60.0
"""Seconds for all pages of one request. The reconciler keeps this time for the last lookup of an invocation."""

ACCOUNT_TIMEOUT_S = 10.0
"""Seconds in which Stripe must name the account of a key."""

UNSET = (
    'An operation with metadata="" has since unset all metadata of an object in its account. '
    "It may have removed our mark."
)

UNMARKED = (
    "Its metadata had no room for our mark, so its object cannot be recognized in Stripe's lists."
)


NO_ACCOUNT = (
    "The account of its sends is not recorded, so the object of no account proves anything."
)


class LookupPorts(TurnPorts, Protocol):
    """The ports of a lookup."""

    @property
    def unknown_outcomes(self) -> UnknownOutcomes: ...

    @property
    def requests(self) -> RequestSlots: ...

    @property
    def lists(self) -> StripeLists: ...

    @property
    def accounts(self) -> Accounts: ...

    @property
    def vault(self) -> Vault: ...

    @property
    def log(self) -> EventLog: ...


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
        wrong_account = await _check_account(ports, unknown, key, same_account=same_account)
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


def is_marked(entry: OutcomeEntry) -> bool:
    """Return whether the create had our mark in its metadata, by which the object is recognized."""
    metadata = with_mark(entry.params, entry.request_id).get("metadata")
    return isinstance(metadata, dict) and metadata.get(MARK) == entry.request_id


async def _check_account(
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
    turn = _turn(ports, unknown, key, f"list_{entry.object}")
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


async def doubt_absence(
    ports: LookupPorts, unknown: UnknownOutcome, proof: ByMark, found: LookupResult
) -> LookupResult:
    """Return the result, or that an absence proves nothing: the list may not show it, or its mark may be unset.

    The record is read after the list, because it is written before the operation that unsets the mark.
    """
    if not isinstance(found, NotFound):
        return found
    if not proof.complete:
        return Inconclusive(INCOMPLETE_LIST)
    if unknown.account is None:
        return found
    unset_at = await ports.unknown_outcomes.metadata_unset_at(unknown.account)
    began_at = min(unknown.firsts, default=0.0)
    # The operation may take effect as late as `LAST_CALL_S` after its record.
    too_early = unset_at is None or unset_at < began_at - CLOCKS_APART_S - LAST_CALL_S
    return found if too_early else Inconclusive(UNSET)


async def _fetch(
    ports: LookupPorts, unknown: UnknownOutcome, asked: _Asked, key: StripeKey
) -> LookupResult:
    """Fetch the object that the operation acts on, and read its state or its absence."""
    entry, operation = unknown.entry, asked.operation
    if unknown.account is None:  # in another account a missing object proves nothing
        return Inconclusive(NO_ACCOUNT)
    fetched = await ports.lists.fetch(
        path=own_path(operation, entry.path),
        key=key,
        stripe_account=entry.stripe_account,
        stripe_context=entry.stripe_context,
        turn=_turn(ports, unknown, key, f"retrieve_{entry.object}"),
    )
    if isinstance(fetched, Inconclusive):
        return fetched
    if isinstance(asked.proof, ByState):
        own = own_id(operation, entry.path)
        return read_state(asked.proof.rule, own, entry.params, fetched)
    return read_absence(operation, entry.path, min(unknown.firsts, default=None), fetched)


def _turn(ports: LookupPorts, unknown: UnknownOutcome, key: StripeKey, read: str) -> ReadTurn:
    """Return the wait for the turn of one read in the account of the request."""
    account = unknown.account or bind_account(
        key,
        None,
        stripe_account=unknown.entry.stripe_account,
        stripe_context=unknown.entry.stripe_context,
    )
    return partial(wait_for_turn, ports, account.rate_account, read)


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
    return await _check_account(ports, unknown, key, same_account=False) or key


async def fetch_own(
    ports: LookupPorts, unknown: UnknownOutcome, key: StripeKey, *, path: str, read: str
) -> Fetched | Inconclusive:
    """Fetch the object at `path` in the request's account, of which an event came. `read` names the read."""
    entry = unknown.entry
    account = unknown.account or bind_account(
        key, None, stripe_account=entry.stripe_account, stripe_context=entry.stripe_context
    )
    return await ports.lists.fetch(
        path=path,
        key=key,
        stripe_account=entry.stripe_account,
        stripe_context=entry.stripe_context,
        turn=partial(wait_for_turn, ports, account.rate_account, read),
    )
