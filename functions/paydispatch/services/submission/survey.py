"""Look through a file before a line of it is sent: how many lines it has, and which are not as they were submitted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.submission.file_lines import NOT_UTF_8, UnreadableLine
from paydispatch.services.submission.read_requests import RequestLine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from paydispatch.domain.submission.file_lines import Line
    from paydispatch.services.submission.ports import Entry, RequestFile
    from paydispatch.services.submission.read_requests import FaultyLine, RequestReader


@dataclass(slots=True)
class Survey:
    lines: int = 0
    """The lines that are not blank."""
    changed: list[int] = field(default_factory=list)
    """The numbers of the lines that began under this run and target, and were changed or removed since."""


def survey(file: RequestFile, reader: RequestReader, entries: Mapping[str, Entry]) -> Survey:
    """Compare the file with the entries of its ledger. Raises `PaydispatchError` for a file in another encoding."""
    found = Survey()
    lines = _count(_refuse_other_encodings(file), found)
    if entries:
        found.changed = sorted(find_changed(reader.read(lines), entries))
    else:
        for _ in lines:
            pass
    return found


def _count(lines: Iterator[Line], found: Survey) -> Iterator[Line]:
    for line in lines:
        found.lines += 1
        yield line


def _refuse_other_encodings(file: RequestFile) -> Iterator[Line]:
    for line in file.lines():
        if isinstance(line, UnreadableLine) and line.error.code == NOT_UTF_8:
            why = str(line.error).removeprefix("The line")
            raise PaydispatchError(f"{file.name}, line {line.number},{why}")
        yield line


def find_changed(
    lines: Iterator[RequestLine | FaultyLine], entries: Mapping[str, Entry]
) -> Iterator[int]:
    """Yield the number of each line that an entry has with other content, or that is missing.

    A faulty line is not sent, so that its content need not agree.
    """
    seen: set[str] = set()
    for line in lines:
        entry = entries.get(line.key) if line.key else None
        if entry is None or line.key is None:
            continue
        seen.add(line.key)
        if isinstance(line, RequestLine) and entry.content not in (None, line.content):
            yield line.number
    yield from (entry.line or 0 for key, entry in entries.items() if key not in seen)
