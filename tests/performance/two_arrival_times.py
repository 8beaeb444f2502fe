"""Compare the calendar of reservations with one time of arrival per limit, as in GCRA. Figures for ADR 40.

    python tests/performance/two_arrival_times.py

Five operations, each limited to 25 calls a second, share an account's limit of 100. Calls wait 2 s at most. A call that
finds no room asks again after a second. Bursts of one operation arrive at random, as flows and batches make them.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.rates.account_limits import AccountLimits
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.limits import Limits
from paydispatch.domain.rates.tokens import Granted, TokenAsk

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCOUNT, OPERATION, OPERATIONS = 100, 25, 5
LONGEST_WAIT_S, BURST_S, MINUTES = 2.0, 0.1, 2
START_S = 1_800_000_000.0

Call = tuple[float, int]
"""The time of a call and the number of its operation."""


class Limiter(Protocol):
    def take(self, operation: int, now_s: float) -> float | None:
        """Return the time at which the call goes. None: it reserves nothing."""


@dataclass
class TwoArrivalTimes:
    """A GCRA per limit. With `joint`, both limits count the call at the time at which it goes."""

    joint: bool
    arrivals: dict[int, float] = field(default_factory=dict)
    """The theoretical time of arrival of each operation, and of the account under -1."""

    def take(self, operation: int, now_s: float) -> float | None:
        rates = {-1: ACCOUNT, operation: OPERATION}
        times = {name: max(now_s, self.arrivals.get(name, 0.0)) for name in rates}
        goes_at = max(now_s, max(times.values()) - BURST_S)
        if goes_at - now_s > LONGEST_WAIT_S:
            return None
        for name, rate in rates.items():
            counted_at = max(times[name], goes_at) if self.joint else times[name]
            self.arrivals[name] = counted_at + 1 / rate
        return goes_at


class Calendars:
    def __init__(self) -> None:
        limits = Limits(account=ACCOUNT, operation=OPERATION)
        self._account = AccountLimits(limits, since_s=START_S - 60)

    def take(self, operation: int, now_s: float) -> float | None:
        answer = self._account.take(
            TokenAsk(
                account="live a",
                operation=str(operation),
                lane=RateLane.INTERACTIVE,
                longest_wait_s=LONGEST_WAIT_S,
            ),
            now_s,
        )
        return now_s + answer.wait_s if isinstance(answer, Granted) else None


def saturating(_: random.Random) -> list[Call]:
    """Make every operation ask at twice its limit all the time."""
    step_s = 1 / (2 * OPERATION)
    times = (START_S + number * step_s for number in range(int(MINUTES * 60 / step_s)))
    return [(at_s, operation) for at_s in times for operation in range(OPERATIONS)]


def in_bursts(draw: random.Random) -> list[Call]:
    """Make bursts of 10 to 60 calls of one operation, at 95 % of the account's limit on average."""
    calls: list[Call] = []
    at_s = START_S
    while at_s < START_S + MINUTES * 60:
        size = draw.randint(10, 60)
        calls += [(at_s, draw.randrange(OPERATIONS))] * size
        at_s += draw.expovariate(0.95 * ACCOUNT / 35)
    return calls


def run(limiter: Limiter, asks: Sequence[Call]) -> tuple[list[float], int]:
    """Return the times of the calls, and how often a call had to ask again."""
    waiting, made, again = list(asks), [], 0
    heapq.heapify(waiting)
    while waiting:
        now_s, operation = heapq.heappop(waiting)
        if now_s > START_S + MINUTES * 60:
            break
        goes_at = limiter.take(operation, now_s)
        if goes_at is not None:
            made.append(goes_at)
        else:
            again += 1
            if asks is not SATURATED:
                heapq.heappush(waiting, (now_s + 1.0, operation))
    return sorted(made), again


def busiest_second(times: Sequence[float]) -> int:
    return max(bisect_left(times, at_s + 1 - 1e-6) - place for place, at_s in enumerate(times))


def share_of_seconds_above(times: Sequence[float], factor: float) -> float:
    """Return the share of calls with which a second above the limit begins."""
    above = sum(
        bisect_left(times, at_s + 1 - 1e-6) - place > factor * ACCOUNT
        for place, at_s in enumerate(times)
    )
    return above / len(times)


SATURATED = saturating(random.Random(1))
BURSTS = in_bursts(random.Random(1))


def main() -> None:
    print(
        "asks        limiter                     calls/s  busiest second  seconds above 1.2 x  asked again/call"
    )
    for name, asks in (("saturating", SATURATED), ("in bursts", BURSTS)):
        limiters: dict[str, Limiter] = {
            "two GCRAs, each by itself": TwoArrivalTimes(joint=False),
            "two GCRAs, moved together": TwoArrivalTimes(joint=True),
            "calendars": Calendars(),
        }
        for label, limiter in limiters.items():
            times, again = run(limiter, asks)
            print(
                f"{name:<11} {label:<27} {len(times) / (MINUTES * 60):>7.1f} {busiest_second(times):>15}"
                f" {share_of_seconds_above(times, 1.2):>20.1%} {again / len(times):>16.1f}"
            )


if __name__ == "__main__":
    main()
