"""Describes each failing flow and each request that ends in an error, from the log lines of a local stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.local.log_tail import LogTail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Failures:
    """The failures in the log files of a stack. Each `read` continues at the end of the last one."""

    def __init__(self, directory: Path) -> None:
        self._tail = LogTail(directory)

    def skip(self) -> None:
        """Leave out the failures so far."""
        self._tail.skip()

    def read(self) -> Iterator[str]:
        """Yield a sentence for each new failure. It may hold foreign text with control characters."""
        for fields in self._tail.new_events():
            if sentence := describe_failure(fields):
                yield sentence


def describe_failure(fields: dict[str, Any]) -> str | None:
    """Return the sentence for a log line, or None for a line that is no failure."""
    match fields:
        case {"message": "request.settled", "error_kind": str(kind), "request_id": id_}:
            code, certainty = fields.get("error_code"), fields.get("error_certainty")
            what = f"{kind} error {code}, {certainty}: {fields.get('error_message')}"
            return f"request {id_} ended in an error ({what}). It runs {fields.get('flow')}."
        case {"message": "flow.raised", "request_id": id_, "flow": flow}:
            return (
                f"flow {flow} of {id_} raised in run {fields.get('attempt')}: {fields.get('error')}"
            )
        case {"message": "flow.missing" | "flow.dead" as event, "request_id": id_, "flow": flow}:
            end = "failed for good" if event == "flow.dead" else "is missing"
            return f"flow {flow} of {id_} {end}: {fields.get('why')}"
        case {"message": "flow.faulty", "script": script, "fault": fault}:
            return f"flow {script}: {fault}. Next: {fields.get('next_step')}."
        case {"message": "message.refused", "message_id": id_}:
            where = f"{fields.get('code')} at {fields.get('param')}"
            return f"message {id_} is no request: {where}"
        case _:
            return None
