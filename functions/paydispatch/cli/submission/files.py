"""Read files of requests: one JSON object per line, or CSV."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.submission.file_lines import LONGEST_LINE_BYTES, read_json_line, too_long

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paydispatch.domain.submission.file_lines import Line


class JsonLinesFile:
    """A `RequestFile` with one JSON object per line."""

    def __init__(self, path: Path) -> None:
        """Raises `PaydispatchError` if there is no such file, or if it is UTF-16 or UTF-32."""
        check_file(path)
        self._path = path
        self.name = str(path)

    def lines(self) -> Iterator[Line]:
        for number, raw in raw_lines(self._path):
            line = too_long(number) if raw is None else read_json_line(number, raw)
            if line is not None:
                yield line


def check_file(path: Path) -> None:
    """Raises `PaydispatchError` if there is no such file, or if its first four bytes reveal UTF-16 or UTF-32."""
    if not path.is_file():
        raise PaydispatchError(f"There is no file {path}.")
    with path.open("rb") as file:
        encoding = json.detect_encoding(file.read(4))
    if not encoding.startswith("utf-8"):
        raise PaydispatchError(f"{path} is {encoding.upper()}. Save it as UTF-8.")


def raw_lines(path: Path) -> Iterator[tuple[int, bytes | None]]:
    """Yield the number and the bytes of each line. The bytes of a line that is too long are None."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE_BYTES):
            number += 1
            whole = line.endswith(b"\n") or len(line) < LONGEST_LINE_BYTES
            yield number, line if whole else None
            while not whole:
                rest = file.readline(LONGEST_LINE_BYTES)
                whole = rest.endswith(b"\n") or len(rest) < LONGEST_LINE_BYTES
