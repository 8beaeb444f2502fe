"""Reads the history of each request from the wide log lines of the parts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from paydispatch.local.log_tail import LogTail

if TYPE_CHECKING:
    from pathlib import Path

SETTLED, FINISHED = "request.settled", "flow.finished"


class Trail:
    """The lines of a stack's log files by request. Each `read` continues at the end of the last one."""

    def __init__(self, directory: Path) -> None:
        self._tail = LogTail(directory)
        self._settled: dict[str, dict[str, Any]] = {}
        self._finished: dict[tuple[str, str], dict[str, Any]] = {}
        self._runs: Counter[str] = Counter()

    def read(self) -> None:
        """Read the new lines of all log files."""
        for fields in self._tail.new_events():
            self._note(fields)

    def skip(self) -> None:
        """Leave out the lines so far. A stack that has worked for hours has many, and each would be parsed."""
        self._tail.skip()

    def find_settlement(self, request_id: str) -> dict[str, Any] | None:
        """Return the `request.settled` line of a request, with its attempts, time at Stripe, and error if any."""
        return self._settled.get(request_id)

    def find_run(self, request_id: str, flow: str) -> dict[str, Any] | None:
        """Return the `flow.finished` line of a flow: the duration of its run, and the age of the request at its end."""
        return self._finished.get((request_id, flow))

    def runs(self, request_id: str) -> int:
        """Return the number of finished flows of a request, of any name."""
        return self._runs[request_id]

    def _note(self, line: dict[str, Any]) -> None:
        if line.get("message") == SETTLED:
            self._settled[line["request_id"]] = line
        elif line.get("message") == FINISHED:
            self._finished[line["request_id"], line["flow"]] = line
            self._runs[line["request_id"]] += 1
