"""Faults on the way to the webhooks: events that come late, never, twice, or after later ones.

    {"late": 0.1, "late_s": 5,              a tenth comes 5 s late
     "lost": 0.05,                          never comes, although `GET /v1/events` lists it
     "twice": 0.1,                          comes a second time, within `spread_s`
     "reordered": 0.3, "spread_s": 2}       waits up to 2 s, so that later events overtake it

Each share is from 0 to 1, and 0 by default. The draws follow the seed of the twin.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from paydispatch.twin.faults import RuleError


@dataclass(frozen=True, slots=True)
class DeliveryShares:
    """The share of the deliveries that each fault has, and its times in seconds."""

    late: float = 0.0
    lost: float = 0.0
    twice: float = 0.0
    reordered: float = 0.0
    late_s: float = 5.0
    spread_s: float = 2.0

    @classmethod
    def parse(cls, source: Any) -> DeliveryShares:
        """Read shares from JSON. Raises `RuleError`."""
        known = asdict(cls())
        if not isinstance(source, dict) or source.keys() - known.keys():
            raise RuleError(f"Faults of events must be an object with {', '.join(known)}.")
        for name, value in source.items():
            highest = float("inf") if name.endswith("_s") else 1
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= highest:
                limit = "not negative" if name.endswith("_s") else "from 0 to 1"
                raise RuleError(f"{name} must be a number, and {limit}.")
        return cls(**source)


class DeliveryFaults:
    """Decides when the copies of a delivery leave, and counts the faults."""

    def __init__(self, seed: int | None = None) -> None:
        self._dice = random.Random(None if seed is None else f"{seed} deliveries")
        self.shares = DeliveryShares()
        self.counts: Counter[str] = Counter()

    def decide(self) -> list[float]:
        """Return the seconds after which each copy of one delivery leaves. A lost one has no copy.

        Draws the same numbers for each delivery, so that one share does not change the draws of another.
        """
        lost, late, twice, reordered, spread, again = (self._dice.random() for _ in range(6))
        shares = self.shares
        if lost < shares.lost:
            self.counts["lost"] += 1
            return []
        delay_s = 0.0
        if late < shares.late:
            self.counts["late"] += 1
            delay_s += shares.late_s
        if reordered < shares.reordered:
            self.counts["reordered"] += 1
            delay_s += spread * shares.spread_s
        if twice < shares.twice:
            self.counts["twice"] += 1
            return [delay_s, delay_s + again * shares.spread_s]
        return [delay_s]
