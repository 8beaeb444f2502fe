"""The board of limits in memory, for the commands."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.tokens import Granted, TokenAsk
from paydispatch.testing.memory_clock import MemoryClock
from paydispatch.testing.memory_limiter import MemoryKeyBreakers, MemoryLimitBoard, MemoryLimiter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LIVE, TEST = "live acct_1", "test acct_1"
CREATE = "create_product"
KEY_HASH = "3f9c2a7be014" + "0" * 52


@dataclass
class Limits:
    """The limiter, the breakers and the board on one clock."""

    clock: MemoryClock = field(default_factory=MemoryClock)

    def __post_init__(self) -> None:
        self.limiter = MemoryLimiter(self.clock)
        self.keys = MemoryKeyBreakers(self.clock)
        self.board = MemoryLimitBoard(self.limiter, self.keys)

    @asynccontextmanager
    async def opened(self, *, reads_only: bool = False) -> AsyncIterator[MemoryLimitBoard]:
        del reads_only
        yield self.board

    async def call(
        self, account: str = LIVE, operation: str = CREATE, feedback: Feedback = Feedback.FINE
    ) -> None:
        """Make one call that ends as `feedback` says."""
        ask = TokenAsk(
            account=account, operation=operation, lane=RateLane.INTERACTIVE, longest_wait_s=1.0
        )
        granted = await self.limiter.take(ask)
        assert isinstance(granted, Granted)
        await self.limiter.report(granted, feedback)
