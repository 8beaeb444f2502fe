"""The breaker of a Stripe key: it opens when Stripe refuses the key, and lets single probes through."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_PROBE_S = 1.0
LONGEST_PROBE_S = 900.0
"""The interval between probes doubles up to this, the longest delay of a queue message."""


def probe_interval_s(refusals: int) -> float:
    """Return the seconds from a refusal to the next probe. `refusals` counts the refused probes before it."""
    return float(min(LONGEST_PROBE_S, FIRST_PROBE_S * 2.0 ** min(refusals, 16)))


@dataclass(slots=True)
class KeyBreaker:
    """An open breaker. A closed one does not exist."""

    since_s: float
    """Unix seconds of the first refusal."""
    next_probe_at: float
    refusals: int = 0
    """The refused probes."""
    probing: bool = False
    """A probe is out. Only its refusal extends the interval, because the calls in flight are refused with the first."""

    @classmethod
    def begin(cls, now_s: float) -> KeyBreaker:
        return cls(since_s=now_s, next_probe_at=now_s + probe_interval_s(0))

    def wait_s(self, now_s: float) -> float:
        """Return the seconds until the next probe. 0: a call may go as the probe."""
        return max(0.0, self.next_probe_at - now_s)

    def let_through(self, now_s: float) -> None:
        """Note that the probe goes. If nobody reports its end, the next one goes after the same interval."""
        self.probing = True
        self.next_probe_at = now_s + probe_interval_s(self.refusals)

    def refuse(self, now_s: float) -> None:
        """Extend the interval if a probe was refused."""
        if self.probing:
            self.probing = False
            self.refusals += 1
            self.next_probe_at = now_s + probe_interval_s(self.refusals)
