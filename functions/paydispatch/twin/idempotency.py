"""Stripe's idempotency layer: the first answer of a key is kept and repeated, for 24 hours.

What is answered in front of it (401, 429, invalid parameters, conflicts) is never kept.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.twin.wire.errors import (
    invalid_request,
    key_in_use,
    other_endpoint,
    other_parameters,
)

if TYPE_CHECKING:
    from paydispatch.twin.accounts import Account
    from paydispatch.twin.wire.forms import Pairs

KEPT_FOR_S = 24 * 60 * 60
LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class Saved:
    """The status and body of a first answer, and the request that got it."""

    status: int
    body: bytes
    request_id: str


@dataclass(slots=True)
class Entry:
    """One key of one account. `saved` is None while the first request is still running."""

    path: str
    params: bytes
    """A digest of the pairs, in whatever order they came."""

    since: float
    running: bool = True
    saved: Saved | None = None


class IdempotencyLayer:
    def __init__(self) -> None:
        self._entries: dict[tuple[Account, str], Entry] = {}

    def claim(
        self, account: Account, key: str, path: str, pairs: Pairs, now: float
    ) -> Entry | Saved:
        """Return the saved answer, or a new entry for this call to put its answer in.

        Raises `StripeError`: 400 for other parameters or another endpoint, 409 if still running.
        """
        if not 1 <= len(key) <= LONGEST_KEY:
            raise invalid_request("Idempotency keys are 1 to 255 characters long.")
        entry = self._entries.get((account, key))
        if entry is None or self._is_pruned(entry, now):
            entry = Entry(path, _digest(pairs), now)
            self._entries[account, key] = entry
            return entry
        return self._repeated(entry, key, path, pairs)

    def _is_pruned(self, entry: Entry, now: float) -> bool:
        return not entry.running and now - entry.since >= KEPT_FOR_S

    def _repeated(self, entry: Entry, key: str, path: str, pairs: Pairs) -> Saved:
        if entry.path != path:
            raise other_endpoint(key, entry.path, path)
        if entry.params != _digest(pairs):
            raise other_parameters(key)
        if entry.running or entry.saved is None:
            raise key_in_use(key)
        return entry.saved

    def forget(self, account: Account, key: str) -> None:
        """The execution came to nothing, not even an error of Stripe's."""
        self._entries.pop((account, key), None)


def _digest(pairs: Pairs) -> bytes:
    return hashlib.blake2b(repr(sorted(pairs)).encode(), digest_size=16).digest()
