"""The real reconciler with a clock that is set forward by a day, past the horizon.

After the horizon, the absence of an object from Stripe's lists proves that it was not created.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from typing import Any

from paydispatch.cli.main import main
from paydispatch.compose import reconciler as composition

LATER_S = 25 * 3600.0
"""Longer than the horizon, and longer than Stripe keeps an idempotency key."""


class LaterClock:
    def now_s(self) -> float:
        return time.time() + LATER_S

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _set_clock_forward(connect: Any) -> Any:
    def connect_later(*parts: Any) -> Any:
        return replace(connect(*parts), clock=LaterClock())

    return connect_later


if __name__ == "__main__":
    composition.connect = _set_clock_forward(composition.connect)
    sys.exit(main())
