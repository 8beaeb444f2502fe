"""The in-memory twin of the event log."""

from __future__ import annotations

from collections import defaultdict
from typing import Any


class MemoryEventLog:
    """An `EventLog` that keeps its lines and counts."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.counts: defaultdict[str, int] = defaultdict(int)

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append((event, fields))

    warning = info

    def count(self, metric: str, amount: int = 1) -> None:
        self.counts[metric] += amount

    def events(self) -> list[str]:
        return [event for event, _ in self.lines]
