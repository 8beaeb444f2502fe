"""The twin's record of each write that was executed (an effect) and of each POST or DELETE that arrived (an attempt).

Each is stored as JSON text once it is final, so that reading 100,000 of them only joins strings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.twin.accounts import Account
    from paydispatch.twin.objects.store import StripeObject


@dataclass(slots=True)
class Attempt:
    """One POST or DELETE. `status` is the status of its answer, or None if no answer left the twin."""

    seq: int
    at: float
    path: str
    idempotency_key: str | None
    request_id: str
    object: str | None = None
    operation: str | None = None
    status: int | None = None
    replayed: bool = False
    executed: bool = False
    fault: str | None = None
    fault_id: str | None = None


class Ledger:
    def __init__(self) -> None:
        self._effects: list[bytes] = []
        self._kinds: list[str] = []
        self._attempts: list[Attempt | bytes] = []

    def record(
        self,
        stripe_object: StripeObject,
        account: Account,
        attempt: Attempt,
        params: Mapping[str, Any],
        now: float,
    ) -> None:
        """Record that a write was executed, with the object that it made, changed or deleted."""
        effect = {
            "seq": len(self._effects) + 1,
            "operation": attempt.operation,
            "object": stripe_object["object"],
            "id": stripe_object.get("id"),
            "idempotency_key": attempt.idempotency_key,
            "created": now,
            "account": account.id,
            "livemode": account.livemode,
            "request_id": attempt.request_id,
            "metadata": stripe_object.get("metadata"),
            "params": params,
        }
        self._effects.append(json.dumps(effect).encode())
        self._kinds.append(stripe_object["object"])

    def open(self, **known: Any) -> Attempt:
        """Record that a POST or a DELETE arrived."""
        attempt = Attempt(seq=len(self._attempts) + 1, **known)
        self._attempts.append(attempt)
        return attempt

    def close(self, attempt: Attempt) -> None:
        """Store a final attempt as text. Ignores an attempt from before a reset of the twin."""
        position = attempt.seq - 1
        if position < len(self._attempts) and self._attempts[position] is attempt:
            self._attempts[position] = _text(attempt)

    def effects(self, *, kind: str | None, after: int, limit: int | None) -> bytes:
        """Return as JSON the effects with a `seq` above `after`, and the number of writes that arrived."""
        chosen = self._effects[after:]
        if kind is not None:
            chosen = [
                text for text, own in zip(chosen, self._kinds[after:], strict=True) if own == kind
            ]
        found = _join("effects", chosen[:limit])
        return found[:-1] + b', "attempts": %d}' % len(self._attempts)

    def attempts(self, *, after: int, limit: int | None) -> bytes:
        """Return as JSON the writes with a `seq` above `after`. The status of a running one is null."""
        chosen = self._attempts[after:][:limit]
        return _join("attempts", [a if isinstance(a, bytes) else _text(a) for a in chosen])


def _text(attempt: Attempt) -> bytes:
    return json.dumps({name: getattr(attempt, name) for name in Attempt.__slots__}).encode()


def _join(name: str, texts: list[bytes]) -> bytes:
    return b'{"%s": [%s]}' % (name.encode(), b", ".join(texts))
