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
from reconciler import compose as composition

LATER_S = 25 * 3600.0
"""Past the horizon, and past what Stripe keeps of a key."""


class LaterClock:
    def now_s(self) -> float:
        return time.time() + LATER_S

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _later(compose: Any) -> Any:
    def composed(*parts: Any) -> Any:
        reconciler = compose(*parts)
        reconciler._ports = replace(reconciler._ports, clock=LaterClock())
        return reconciler

    return composed


if __name__ == "__main__":
    composition.compose = _later(composition.compose)
    sys.exit(main())
