"""Doubt an absence: an object that Stripe does not list may exist all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.identity.marks import MARK, with_mark
from paydispatch.domain.operators.lookup_results import CLOCKS_APART_S, Inconclusive, NotFound
from paydispatch.domain.stripe.proofs import INCOMPLETE_LIST
from paydispatch.domain.unknown_outcomes import LAST_CALL_S

if TYPE_CHECKING:
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.operators.lookup_results import LookupResult
    from paydispatch.domain.stripe.proofs import ByMark
    from paydispatch.domain.unknown_outcomes import UnknownOutcome
    from paydispatch.services.lookups.ports import LookupPorts

UNSET = (
    'An operation with metadata="" has since unset all metadata of an object in its account. '
    "It may have removed our mark."
)

UNMARKED = (
    "Its metadata had no room for our mark, so its object cannot be recognized in Stripe's lists."
)


def is_marked(entry: OutcomeEntry) -> bool:
    """Return whether the create had our mark in its metadata, by which the object is recognized."""
    metadata = with_mark(entry.params, entry.request_id).get("metadata")
    return isinstance(metadata, dict) and metadata.get(MARK) == entry.request_id


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
