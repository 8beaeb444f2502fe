"""Open a key with which the list of several requests can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.attempts import RefusedInFront
from paydispatch.domain.errors import CannotOpen, NotPermitted
from paydispatch.domain.stripe.accounts import bind_account
from paydispatch.domain.unknown_outcomes import envelope_of
from paydispatch.services.lookups.own_account import ACCOUNT_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paydispatch.domain.credentials import StripeKey
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.services.looks.candidates import Candidate
    from paydispatch.services.lookups.ports import LookupPorts

MOST_KEYS = 3
"""Requests whose keys are tried. If none opens, each request is looked up alone, with its own key and reason."""


@dataclass(frozen=True, slots=True)
class ListAccess:
    """A key, and the account that it reads."""

    key: StripeKey
    account: AccountBinding
    stripe_account: str | None
    stripe_context: str | None

    @property
    def account_name(self) -> str:
        return self.account.account_id or self.account.key_sha256


async def open_list(ports: LookupPorts, candidates: Iterable[Candidate]) -> ListAccess | None:
    """Return the first key that opens and belongs to the account of its request. Raises `Unavailable`."""
    for candidate, _ in zip(candidates, range(MOST_KEYS), strict=False):
        access = await _open(ports, candidate)
        if access is not None and _reads_for(access, candidate):
            return access
    return None


def _reads_for(access: ListAccess, candidate: Candidate) -> bool:
    """Return whether the key reads the account that the request was sent to, which both are known by in the same way.

    So the account that a pass began with has the same requests in each of its invocations, whichever key opens.
    """
    sent_to = candidate.account
    return (
        sent_to is not None
        and sent_to.same_as(access.account)
        and sent_to.account_id == access.account.account_id
    )


def split_by_account(
    access: ListAccess, candidates: Iterable[Candidate]
) -> tuple[list[Candidate], list[Candidate]]:
    """Return those that were sent to the account of the key, and the others, for whom its list proves nothing."""
    mine: list[Candidate] = []
    others: list[Candidate] = []
    for candidate in candidates:
        (mine if _reads_for(access, candidate) else others).append(candidate)
    return mine, others


async def _open(ports: LookupPorts, candidate: Candidate) -> ListAccess | None:
    unknown = await ports.unknown_outcomes.read(candidate.worker, candidate.request_id)
    if unknown is None:
        return None
    entry = unknown.entry
    try:
        key = await ports.vault.open(envelope_of(entry))
    except (CannotOpen, NotPermitted):
        return None
    found = await ports.accounts.find(
        key, stripe_context=entry.stripe_context, within_s=ACCOUNT_TIMEOUT_S
    )
    if isinstance(found, RefusedInFront):
        return None
    headers = {"stripe_account": entry.stripe_account, "stripe_context": entry.stripe_context}
    account = bind_account(key, found, **headers)
    return ListAccess(key, account, **headers)
