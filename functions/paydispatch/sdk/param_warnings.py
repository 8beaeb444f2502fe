"""Log the warnings for parameters, each at most once a minute, because a program repeats them with every request."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paydispatch.domain.parameters.verdict import ParamWarning
    from paydispatch.sdk.receipt import Receipt

QUIET_FOR_S = 60.0
MOST_KNOWN = 1_000
"""Warnings that are remembered. With more than these, some are logged more often."""

_log = logging.getLogger("paydispatch.sdk.dispatcher")


class ParamWarnings:
    """The warnings of one Dispatcher. It takes no lock: two threads may both log the same warning once."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._logged_at: dict[tuple[str, str], float] = {}
        """The time of the last line, by operation and parameter."""

    def log(self, receipt: Receipt, warnings: Iterable[ParamWarning]) -> None:
        for warning in warnings:
            if self._is_due((receipt.operation, warning.param)):
                _log.warning("%s: %s", receipt, warning.message)

    def _is_due(self, name: tuple[str, str]) -> bool:
        now_s, logged_at = self._now_s(), self._logged_at.get(name)
        if logged_at is not None and now_s - logged_at < QUIET_FOR_S:
            return False
        if len(self._logged_at) >= MOST_KNOWN:
            self._logged_at.clear()
        self._logged_at[name] = now_s
        return True
