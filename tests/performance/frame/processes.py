"""Reads the CPU and the memory of processes from /proc, and groups those of a local stack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6
_USER_TIME, _RESIDENT_PAGES = 11, 1
"""Places in /proc/PID/stat behind the name, and in /proc/PID/statm."""

OURS = ("gateway", "poller-interactive", "poller-batch", "worker")
EMULATORS = ("ministack", "valkey", "twin")


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU since the start of the processes, and their memory now."""

    cpu_s: float = 0.0
    memory_mb: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.cpu_s + other.cpu_s, self.memory_mb + other.memory_mb)


def usage_of(pid: int) -> Usage:
    """Return the usage of one process with its threads, or nothing if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[_RESIDENT_PAGES])
    except OSError:
        return Usage()
    ticks = int(fields[_USER_TIME]) + int(fields[_USER_TIME + 1])
    return Usage(ticks / TICKS_PER_S, pages * PAGE_MB)


def usage_by_part(pids: Mapping[str, int]) -> dict[str, Usage]:
    """Return the usage of each part of a stack. Parts that differ only by a number count together."""
    parts = dict.fromkeys((*OURS, *EMULATORS), Usage())
    for name, pid in pids.items():
        part = next((part for part in parts if name == part or name.startswith(f"{part}-")), None)
        if part is not None:
            parts[part] += usage_of(pid)
    return parts


def cpu_between(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, float]:
    """Return the CPU seconds of each part between two readings."""
    return {part: after[part].cpu_s - before[part].cpu_s for part in after}
