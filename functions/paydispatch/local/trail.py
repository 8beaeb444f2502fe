"""What happened to each request, read from the wide log lines of the parts that worked on it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTLED, FINISHED = "request.settled", "flow.finished"


class Trail:
    """The lines of a stack's log files, by request. Each `read` goes on where the last one ended."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._places: dict[Path, int] = {}
        self._settled: dict[str, dict[str, Any]] = {}
        self._finished: dict[tuple[str, str], dict[str, Any]] = {}
        self._runs: Counter[str] = Counter()
        self._in_order: list[tuple[str, str]] = []

    def read(self) -> None:
        for log in self._directory.glob("*.log"):
            for line in self._new_lines(log):
                self._note(line)

    def settled(self, request_id: str) -> dict[str, Any] | None:
        """How Stripe's side of it ended: attempts, the milliseconds spent on Stripe, the error if there is one."""
        return self._settled.get(request_id)

    def finished(self, request_id: str, flow: str) -> dict[str, Any] | None:
        """The run of that flow for that request: its milliseconds, and the age of the request at its end."""
        return self._finished.get((request_id, flow))

    def runs(self, request_id: str) -> int:
        """How many finished flows it has had, of whatever name."""
        return self._runs[request_id]

    def flows_of_context(self, context_id: str) -> list[str]:
        """The flows of one conversation, in the order they finished."""
        return [flow for context, flow in self._in_order if context == context_id]

    def _note(self, line: dict[str, Any]) -> None:
        if line.get("message") == SETTLED:
            self._settled[line["request_id"]] = line
        elif line.get("message") == FINISHED:
            self._finished[line["request_id"], line["flow"]] = line
            self._runs[line["request_id"]] += 1
            self._in_order.append((line["context_id"], line["flow"]))

    def _new_lines(self, log: Path) -> Iterator[dict[str, Any]]:
        with log.open("rb") as file:
            file.seek(self._places.get(log, 0))
            complete, newline, _ = file.read().rpartition(b"\n")
        self._places[log] = self._places.get(log, 0) + len(complete) + len(newline)
        for line in complete.splitlines():
            if line.startswith(b'{"') and (fields := _json_object(line)):
                yield fields


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
