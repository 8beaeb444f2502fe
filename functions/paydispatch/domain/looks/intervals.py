"""The intervals of time that a pass reads for many requests at once. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.domain.operators.lookups import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

APPEARS_WITHIN_S = 120
"""An object may appear in a list this long after its `created`, because Stripe dates it when its create begins."""


def merge(windows: Iterable[Window]) -> list[Window]:
    """Return the union of the windows as few windows, the newest first, because Stripe lists the newest first."""
    merged: list[Window] = []
    for window in sorted(windows, key=lambda one: one.earliest):
        if merged and window.earliest <= merged[-1].latest + 1:
            last = merged[-1]
            merged[-1] = Window(last.earliest, max(last.latest, window.latest))
        else:
            merged.append(window)
    return merged[::-1]


def unread(windows: Iterable[Window], seen_until: float) -> tuple[Window, ...]:
    """Return the parts of the windows in which an object may have appeared since the list was read."""
    begin = int(seen_until) - APPEARS_WITHIN_S if seen_until else 0
    cut = (Window(max(window.earliest, begin), window.latest) for window in windows)
    return tuple(window for window in cut if window.earliest <= window.latest)


def earliest_needed(interval: Window, windows: Iterable[Window]) -> int | None:
    """Return the earliest time in the interval that one of the windows needs. None: none needs the interval."""
    needed = [
        max(window.earliest, interval.earliest)
        for window in windows
        if window.earliest <= interval.latest and window.latest >= interval.earliest
    ]
    return min(needed, default=None)
