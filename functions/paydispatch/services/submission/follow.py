"""Follow the submitted requests of a file to their outcomes, and write each outcome as it comes.

The requests are asked about in the order of the file, because they are called in about that order. A request without an
outcome is asked about again after a growing time. While nothing ends, the pauses grow as well, so that a long wait asks
seldom.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.submission.summary import UNKNOWN, Summary, is_final
from paydispatch.services.submission.ports import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from paydispatch.services.submission.ports import Entry, Outcomes, Results

LOOKS = 100
"""The requests of one look."""

SHORTEST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
LONGEST_BACKOFF_S = 30.0
PATIENCE_S = 120.0
"""The time without any answer after which the wait ends with an error. A failover of Redis takes less."""


@dataclass(slots=True)
class Followed:
    """One request without an outcome so far."""

    line: int
    request_id: str
    looks: int = 0
    last: Mapping[str, Any] | None = None
    """Its status document at the last look."""

    @property
    def is_unknown(self) -> bool:
        return self.last is not None and self.last.get("status") == UNKNOWN


def list_submitted(entries: Mapping[str, Entry]) -> list[Followed]:
    """Return the requests that the target has, in the order of the file."""
    found = [
        Followed(entry.line or 0, entry.request_id)
        for entry in entries.values()
        if entry.stage is Stage.SUBMITTED and entry.request_id
    ]
    return sorted(found, key=lambda followed: followed.line)


class Follower:
    """Waits for the outcomes of one file."""

    def __init__(
        self,
        outcomes: Outcomes,
        results: Results,
        now_s: Callable[[], float],
        sleep: Callable[[float], None],
        progress: Callable[[int], None],
    ) -> None:
        """`now_s` is a clock in seconds. `progress` is called with the number of requests with an outcome."""
        self._outcomes = outcomes
        self._results = results
        self._now_s = now_s
        self._sleep = sleep
        self._progress = progress
        self._fresh: deque[Followed] = deque()
        self._again: list[tuple[float, int, Followed]] = []
        """A heap by the time of the next look. The line keeps the order among equal times."""
        self._seen_at_s = now_s()
        self.summary = Summary()
        """It counts the outcomes that came so far, also after an interruption."""

    def run(self, submitted: Iterable[Followed], at_most_s: float) -> Summary:
        """Return the summary when each request has an outcome or is unknown, or after `at_most_s` seconds.

        Raises `Unavailable` if no look succeeds for `PATIENCE_S`.
        """
        until_s = self._now_s() + at_most_s
        self._begin(submitted)
        quiet_looks = 0
        try:
            while not self._all_told() and self._now_s() < until_s:
                ended = self._look()
                quiet_looks = 0 if ended else quiet_looks + 1
                if not ended:
                    self._pause(quiet_looks, until_s)
        finally:
            self._write_rest()
        return self.summary

    def _begin(self, submitted: Iterable[Followed]) -> None:
        """Count the outcomes that an earlier call has written, and take the other requests."""
        for followed in submitted:
            written = self._results.find(followed.request_id)
            if written is None:
                self._fresh.append(followed)
            else:
                self._count(written)

    def _all_told(self) -> bool:
        return not self._fresh and all(followed.is_unknown for _, _, followed in self._again)

    def _look(self) -> int:
        """Ask about some requests. Return how many of them have ended."""
        asked = self._take()
        try:
            found = self._find(asked)
        except BaseException:
            self._fresh.extend(asked)  # they are still under way
            raise
        return sum(map(self._note, asked, found))

    def _find(self, asked: Sequence[Followed]) -> Sequence[Mapping[str, Any] | None]:
        """Return the status documents. While they are unavailable, return those of the last look."""
        try:
            found = self._outcomes.find([followed.request_id for followed in asked])
        except Unavailable:
            if self._now_s() - self._seen_at_s >= PATIENCE_S:
                raise
            return [followed.last for followed in asked]
        self._seen_at_s = self._now_s()
        return found

    def _take(self) -> Sequence[Followed]:
        """Take the requests whose time has come, and fill up with those that were never asked about."""
        taken: list[Followed] = []
        while self._again and self._again[0][0] <= self._now_s() and len(taken) < LOOKS:
            taken.append(heappop(self._again)[2])
        while self._fresh and len(taken) < LOOKS:
            taken.append(self._fresh.popleft())
        return taken

    def _note(self, followed: Followed, document: Mapping[str, Any] | None) -> bool:
        if document is not None and is_final(document):
            self._write(followed, document)
            return True
        followed.last = document
        followed.looks += 1
        backoff_s = min(LONGEST_BACKOFF_S, SHORTEST_PAUSE_S * 2.0 ** min(followed.looks, 10))
        heappush(self._again, (self._now_s() + backoff_s, followed.line, followed))
        return False

    def _pause(self, quiet_looks: int, until_s: float) -> None:
        """Sleep after a look without an end. Without fresh requests sleep at least until the next look."""
        now_s = self._now_s()
        pause_s = min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2.0 ** min(quiet_looks - 1, 10))
        if not self._fresh and self._again:
            pause_s = max(pause_s, self._again[0][0] - now_s)
        self._sleep(max(0.0, min(pause_s, until_s - now_s)))

    def _write(self, followed: Followed, document: Mapping[str, Any]) -> None:
        self._results.add({"line": followed.line, **document})
        self._count(document)

    def _count(self, document: Mapping[str, Any]) -> None:
        self.summary.add(document)
        summary = self.summary
        self._progress(summary.done + summary.declined + summary.failed)

    def _write_rest(self) -> None:
        """Write the unknown requests, and count those under way. A later call asks about both again."""
        self._again.sort()
        for followed in [*(each for _, _, each in self._again), *self._fresh]:
            if followed.is_unknown and followed.last is not None:
                self._write(followed, followed.last)
            else:
                self.summary.under_way += 1
