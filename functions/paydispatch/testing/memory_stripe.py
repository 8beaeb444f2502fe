"""The in-memory twins of the ports that ask Stripe during a call."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.domain.attempts import Attempt, RefusedInFront
    from paydispatch.domain.credentials import StripeKey


class MemoryStripe:
    """A `StripeGateway` that returns the given attempts in order, and the last one again and again."""

    def __init__(self, *attempts: Attempt | Callable[[], Attempt]) -> None:
        self._attempts = deque(attempts)
        self.calls: list[dict[str, Any]] = []

    async def call(self, **call: Any) -> Attempt:
        self.calls.append(call)
        following = self._attempts.popleft() if len(self._attempts) > 1 else self._attempts[0]
        await asyncio.sleep(0)
        return following() if callable(following) else following


class MemoryAccounts:
    """An `Accounts` with an answer per key: the account's id, None if the key may not ask, or Stripe's refusal."""

    def __init__(self, **ids: str | RefusedInFront | None) -> None:
        self.ids = ids
        """{key: answer}. The answer for any other key is `acct_1`."""
        self.away = False
        self.asked: list[str] = []

    async def find(
        self, key: StripeKey, *, stripe_context: str | None, within_s: float
    ) -> str | RefusedInFront | None:
        self.asked.append(key.reveal())
        if self.away:
            raise Unavailable("Stripe is unreachable")
        return self.ids.get(key.reveal(), "acct_1")
