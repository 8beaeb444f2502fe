"""The real reconciler, a day later: only its clock is set forward, past the horizon.

By then the absence of an object from Stripe's lists proves that it was not created.
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
"""Past the horizon, and past what Stripe keeps of a key."""


class LaterClock:
    def now_s(self) -> float:
        return time.time() + LATER_S

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _later(connect: Any) -> Any:
    def later(*parts: Any) -> Any:
        return replace(connect(*parts), clock=LaterClock())

    return later


if __name__ == "__main__":
    composition.connect = _later(composition.connect)
    sys.exit(main())
