"""The breaker of an account: it opens when call after call fails, and lets single probes through."""

from __future__ import annotations

from dataclasses import dataclass

FAILURES_IN_A_ROW = 20
"""So many calls without an answer of Stripe in a row open the breaker. A few lost answers among others never do."""

FIRST_PROBE_S = 1.0
LONGEST_PROBE_S = 30.0
"""The interval between probes doubles up to this. So an account is back half a minute after Stripe, at the latest."""


def probe_interval_s(probes: int) -> float:
    """Return the seconds from one probe to the next, after `probes` probes."""
    return float(min(LONGEST_PROBE_S, FIRST_PROBE_S * 2.0 ** min(probes, 16)))


@dataclass(slots=True)
class Outage:
    failures: int = 0
    """In a row, since the last answer."""
    probes: int = 0
    next_probe_at: float | None = None
    """Unix seconds. None: the breaker is closed."""

    def fail(self, now_s: float) -> bool:
        """Count a failure. Return whether it opened the breaker."""
        self.failures += 1
        if self.failures < FAILURES_IN_A_ROW or self.next_probe_at is not None:
            return False
        self.next_probe_at = now_s + probe_interval_s(0)
        return True

    def close(self) -> None:
        """Close the breaker, because Stripe answered."""
        self.failures, self.probes, self.next_probe_at = 0, 0, None

    def wait_s(self, now_s: float) -> float:
        """Return the seconds until the next probe. 0: a call may go."""
        return 0.0 if self.next_probe_at is None else max(0.0, self.next_probe_at - now_s)

    def let_through(self, now_s: float) -> None:
        """Note that a call goes. If the breaker is open, the call is the probe, and the next one must wait longer."""
        if self.next_probe_at is not None:
            self.probes += 1
            self.next_probe_at = now_s + probe_interval_s(self.probes)
