"""Stripe's idempotency layer: it saves the first answer to a key and repeats it for 24 hours.

Answers that Stripe gives before this layer (401, 429, invalid parameters, conflicts) are never saved.
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
    """The status and body of the first answer, and the id of the request that received it."""

    status: int
    body: bytes
    request_id: str


@dataclass(slots=True)
class Entry:
    """One key of one account. `saved` is None while the first request is still running."""

    path: str
    params: bytes
    """A digest of the form pairs that does not depend on their order."""

    since: float
    running: bool = True
    saved: Saved | None = None


class IdempotencyLayer:
    def __init__(self) -> None:
        self._entries: dict[tuple[Account, str], Entry] = {}

    def claim(
        self, account: Account, key: str, path: str, pairs: Pairs, now: float
    ) -> Entry | Saved:
        """Return the saved answer of the key, or a new entry in which this call saves its answer.

        Raises `StripeError`: 400 for other parameters or another endpoint, 409 if the first request still runs.
        """
        if not 1 <= len(key) <= LONGEST_KEY:
            raise invalid_request("Idempotency keys are 1 to 255 characters long.")
        entry = self._entries.get((account, key))
        if entry is None or self._is_pruned(entry, now):
            entry = Entry(path, _digest(pairs), now)
            self._entries[account, key] = entry
            return entry
        return self._replay(entry, key, path, pairs)

    def _is_pruned(self, entry: Entry, now: float) -> bool:
        return not entry.running and now - entry.since >= KEPT_FOR_S

    def _replay(self, entry: Entry, key: str, path: str, pairs: Pairs) -> Saved:
        if entry.path != path:
            raise other_endpoint(key, entry.path, path)
        if entry.params != _digest(pairs):
            raise other_parameters(key)
        if entry.running or entry.saved is None:
            raise key_in_use(key)
        return entry.saved

    def forget(self, account: Account, key: str) -> None:
        """Remove the key, because the execution raised and has no answer to save."""
        self._entries.pop((account, key), None)


def _digest(pairs: Pairs) -> bytes:
    return hashlib.blake2b(repr(sorted(pairs)).encode(), digest_size=16).digest()
