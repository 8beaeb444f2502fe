"""The schedule and the faults of a chaos run, all derived from its seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from tests.chaos.points import CALLER_POINTS, GATEWAY_POINTS, REDIS_POINTS, WORKER_POINTS

KILL_EVERY_S = 16.0
"""The least average time between two kills of one kind of process.

With less time, killed callers could receive one message `max_receives` times.
"""

REQUESTS_PER_S = 45.0
DEADLY_PASSAGES = 6
"""A named point kills at one of this many first passages, so that it does not always kill at the first of a batch."""

EVENT_FAULTS = {
    "late": 0.2,
    "late_s": 4.0,
    "lost": 0.2,
    "twice": 0.2,
    "reordered": 0.3,
    "spread_s": 2.0,
}
"""A fifth of the events is lost, so that some requests are settled by an event and some by a list."""

LISTS_OFF: list[dict[str, Any]] = [
    {"match": {"lists": True}, "action": {"kind": "status", "status": 503}},
    {"match": {"idempotency_key": "pdr_*"}, "action": {"kind": "lost_answer"}},
    {"match": {"method": "DELETE"}, "action": {"kind": "lost_answer"}},
]
"""The calls that prepare a run have keys of another form, so their answers arrive."""

CALLER, WORKER, REDIS, QUEUE, GATEWAY = "caller", "worker", "redis", "queue", "gateway"
FAILOVER, SECRET = "failover", "secret"


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """One fault of the schedule. With a `point` it waits until a process reaches it. Otherwise it acts at once."""

    at_s: float
    """Seconds after the first request."""
    target: str
    point: str | None = None
    passage: int = 1
    for_s: float = 0.0
    """How long Redis is down, the queue is stopped, or the secret holds the other key."""
    pick: float = 0.0
    """A number in [0, 1) that selects one of the processes of this kind."""


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    requests: int
    kills: int
    """The number of kills of each kind of process, of stops of the queue, and of failovers of Redis."""
    spread_s: float | None = None
    repeated_share: float = 0.03
    """The share of received messages that SQS delivers once more as another copy."""
    lost_share: float = 0.03
    """The share of the calls that send to SQS and lose their answer."""
    events: bool = False
    """Whether the twin sends events: some late, lost, twice or out of order."""
    lists_off: bool = False
    """Whether every answer to a write of ours is lost, and the twin refuses every list. Only events can prove then."""

    @property
    def sends_events(self) -> bool:
        return self.events or self.lists_off

    @property
    def event_faults(self) -> dict[str, float]:
        """Return the faults of the events. None is lost for good where nothing else can prove."""
        return {**EVENT_FAULTS, "lost": 0.0} if self.lists_off else EVENT_FAULTS

    def faults(self) -> list[dict[str, Any]]:
        return LISTS_OFF if self.lists_off else faults()

    @property
    def lasts_s(self) -> float:
        """Return for how long the producer submits requests."""
        return self.spread_s or max(self.requests / REQUESTS_PER_S, self.kills * KILL_EVERY_S)

    @property
    def contexts(self) -> int:
        return max(20, self.requests // 8)

    def dice(self, what: str) -> random.Random:
        return random.Random(f"{self.seed} {what}")

    def schedule(self) -> list[Event]:
        events = [
            *self._kills(CALLER, CALLER_POINTS),
            *self._kills(WORKER, WORKER_POINTS),
            *self._kills(REDIS, REDIS_POINTS),
            *self._kills(GATEWAY, GATEWAY_POINTS, always_named=True),
            *self._kills(QUEUE, ()),
            *self._kills(FAILOVER, ()),
            *self._repoints(),
        ]
        return sorted(events, key=lambda event: event.at_s)

    def _kills(
        self, target: str, points: tuple[str, ...], *, always_named: bool = False
    ) -> list[Event]:
        """Return one event in each of `kills` equal parts of the run: at a random time and at a named point in turn."""
        dice = self.dice(target)
        part_s = 0.94 * self.lasts_s / max(1, self.kills)
        events = []
        for number in range(self.kills):
            named = points and (always_named or number % 2 == 1)
            place = number if always_named else number // 2
            events.append(
                Event(
                    at_s=0.03 * self.lasts_s + part_s * (number + dice.random()),
                    target=target,
                    point=points[place % len(points)] if named else None,
                    passage=dice.randint(1, DEADLY_PASSAGES),
                    for_s=self._outage_s(dice, number),
                    pick=dice.random(),
                )
            )
        return events

    def _repoints(self) -> list[Event]:
        """Return two events that each point the rotating secret at another account for an eighth of the run."""
        eighth = self.lasts_s / 8
        return [Event(at_s=eighth * part, target=SECRET, for_s=eighth) for part in (2, 5)]

    @staticmethod
    def _outage_s(dice: random.Random, number: int) -> float:
        """Return a short outage, and every seventh time one that is longer than the timeout of any call."""
        return dice.uniform(6.0, 9.0) if number % 7 == 3 else dice.uniform(0.05, 2.5)


def faults(share: float = 1.0) -> list[dict[str, Any]]:
    """Return every fault of the twin with its probability per POST or DELETE. `share` scales all probabilities."""
    reasons = ("global-rate", "endpoint-rate", "global-concurrency", "endpoint-concurrency")
    chances: list[tuple[float, dict[str, Any]]] = [
        *((0.006, {"kind": "status", "status": 429, "reason": r}) for r in reasons),
        (0.006, {"kind": "status", "status": 429, "reason": "resource-specific"}),
        (0.010, {"kind": "status", "code": "lock_timeout"}),
        (0.004, {"kind": "status", "status": 401}),
        (0.004, {"kind": "status", "status": 409}),
        (0.010, {"kind": "status", "status": 500}),
        (0.010, {"kind": "status", "status": 503}),
        (0.003, {"kind": "status", "status": 503, "should_retry": False}),
        (0.006, {"kind": "status", "status": 500, "when": "during"}),
        (0.010, {"kind": "status", "status": 500, "when": "after"}),
        (0.010, {"kind": "reset"}),
        (0.015, {"kind": "lost_answer"}),
        (0.003, {"kind": "reset", "when": "during"}),
        (0.005, {"kind": "cut_off"}),
        (0.010, {"kind": "cut_off", "when": "after"}),
        (0.005, {"kind": "not_json"}),
        (0.010, {"kind": "not_json", "when": "after"}),
        (0.001, {"kind": "hang"}),
        (0.002, {"kind": "hang", "when": "after"}),
        (0.010, {"kind": "latency", "latency_ms": {"p50": 900, "p99": 2500}}),
    ]
    return [
        {"match": {"method": method}, "action": action, "probability": chance * share}
        for method in ("POST", "DELETE")
        for chance, action in chances
    ]


def fault_names(rules: list[dict[str, Any]]) -> dict[str, str]:
    """Return a short description of each fault, by the id that the twin gives it."""
    return {
        f"fault_{place}": " ".join(
            str(part) for name, part in rule["action"].items() if name != "latency_ms"
        )
        for place, rule in enumerate(rules, start=1)
    }


LATENCY_MS = {"p50": 40, "p99": 600}
