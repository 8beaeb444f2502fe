"""The file of the outcomes of a submitted file: one JSON object per request, written as it ends.

A record is the status document of the API with the `line` and the `run`. A request that is unknown has a record too,
which the next call removes, because it asks again.
"""

from __future__ import annotations

import json
import os
from typing import IO, TYPE_CHECKING, Any, Self

from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.submission.summary import is_final
from paydispatch.domain.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_KEPT = ("status", "parsed_error")
"""The members of a record that the summary needs. An answer of Stripe has kilobytes."""


def results_of(file: Path) -> Path:
    return file.with_name(file.name + ".results.jsonl")


class FileResults:
    """The `Results` of one run."""

    def __init__(self, path: Path, run: str) -> None:
        self._path = path
        self._run = run
        self._written: dict[str, Mapping[str, Any]] = {}

    def __enter__(self) -> Self:
        """Read the file, and remove what is not final. Raises `PaydispatchError` for a file of another run."""
        if self._path.exists():
            self._keep_final()
        self._file = _open_for_owner(self._path, "a", os.O_APPEND)
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def find(self, request_id: str) -> Mapping[str, Any] | None:
        return self._written.get(request_id)

    def add(self, record: Mapping[str, Any]) -> None:
        self._file.write(redact(json.dumps({**record, "run": self._run})) + "\n")
        self._file.flush()

    def _keep_final(self) -> None:
        """Copy the final records into a new file, and then put it in the place of the old one."""
        copy = self._path.with_name(self._path.name + ".new")
        with _open_for_owner(copy, "w", os.O_TRUNC) as file:
            file.writelines(self._final_lines())
        copy.replace(self._path)

    def _final_lines(self) -> Iterator[str]:
        with self._path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                if line.endswith("\n") and self._is_final(number, line):  # not torn by a kill
                    yield line

    def _is_final(self, number: int, line: str) -> bool:
        record = self._read(number, line)
        final = is_final(record)
        if final:
            self._written[record["request_id"]] = {name: record.get(name) for name in _KEPT}
        return final

    def _read(self, number: int, line: str) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or "request_id" not in record:
            raise PaydispatchError(
                f"{self._path}, line {number}, is not a result. Name another file with --results."
            )
        if record.get("run") != self._run:
            raise PaydispatchError(
                f"{self._path} has the results of {record.get('run')}, not of {self._run}. "
                "Name another file with --results."
            )
        return record


def _open_for_owner(path: Path, mode: str, flags: int) -> IO[str]:
    """Open a file that only its owner may read, because the answers of Stripe hold personal data."""
    return os.fdopen(os.open(path, flags | os.O_CREAT | os.O_WRONLY, 0o600), mode, encoding="utf-8")
