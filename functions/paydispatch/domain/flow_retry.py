"""How often a flow that fails runs again, and after which waits. Pure.

# flows/new_create_price_response.py
from paydispatch import Retry

RETRY = Retry(attempts=10, first_s=5, longest_s=60)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from paydispatch.domain.limits import REMEMBER_S

MOST_ATTEMPTS = 1_000
LEAST_PART = 0.5
"""The part of each wait that is not random. Retries after a longer outage then last about as long as they say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The runs of a flow that fails. The waits double from `first_s` to `longest_s`, and a random half is left out.

    The 50 runs of the default last 3.4 to 6.8 hours. Raises `ValueError`, which names the field.
    """

    attempts: int = 50
    """Runs of one script for one outcome, from 1 to 1,000. After the last one the outcome goes to the dead stream."""
    first_s: float = 1.0
    """Seconds before the second run."""
    longest_s: float = 600.0
    """Seconds at which the waits stop doubling. A flow runs this long after the end of an outage at the latest."""

    def __post_init__(self) -> None:
        if not _is_count(self.attempts):
            raise ValueError(
                f"attempts must be a whole number from 1 to {MOST_ATTEMPTS:,}, not {self.attempts!r}."
            )
        _check_seconds("first_s", self.first_s)
        _check_seconds("longest_s", self.longest_s)
        if self.longest_s < self.first_s:
            raise ValueError(
                f"longest_s must be at least first_s ({self.first_s:g}), not {self.longest_s:g}."
            )
        if self.lasts_s > REMEMBER_S:
            raise ValueError(
                f"attempts and longest_s make retries of up to {self.lasts_s / 86_400:.1f} days, and a request is "
                f"remembered for {REMEMBER_S // 86_400}. Lower one of them."
            )

    @property
    def lasts_s(self) -> float:
        """The most seconds that all waits take together. The least are half of that."""
        return sum(self._longest_wait_s(run) for run in range(1, self.attempts))

    def wait_s(self, run: int, fraction: float) -> float:
        """Return the seconds between run number `run` and the next one. `fraction` is random, in [0, 1)."""
        return self._longest_wait_s(run) * (LEAST_PART + (1 - LEAST_PART) * fraction)

    def _longest_wait_s(self, run: int) -> float:
        return min(self.longest_s, self.first_s * 2.0 ** min(run - 1, 32))


def check_retry(value: Any) -> Retry:
    """Return the value of a script's `RETRY`. Raises `TypeError` if it is no `Retry`."""
    if not isinstance(value, Retry):
        raise TypeError(
            f"RETRY must be a paydispatch.Retry, such as Retry(attempts=10), not {value!r}."
        )
    return value


def _is_count(value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and 1 <= value <= MOST_ATTEMPTS


def _check_seconds(name: str, value: Any) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be a number of seconds above 0, not {value!r}.")
