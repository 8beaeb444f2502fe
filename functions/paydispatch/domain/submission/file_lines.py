"""Read one line of a file of requests: a JSON object, or the reason why it is none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from paydispatch.domain.errors import InvalidField
from paydispatch.domain.text.json_text import BYTE_ORDER_MARK, read_json

LONGEST_LINE_BYTES = 8 * 1024 * 1024
"""The longest line that is read. A request has at most 1 MiB on the queue, and JSON may escape each byte with six."""

NOT_UTF_8 = "encoding_invalid"
"""The code of a line that is not UTF-8. The whole file then has another encoding, so that no line of it is sent."""


@dataclass(frozen=True, slots=True)
class FileLine:
    """One request of a file, not checked yet."""

    number: int
    """The number of its first line in the file, from 1."""
    text: str
    """The text that identifies it within its run."""
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UnreadableLine:
    """A line that holds no request."""

    number: int
    error: InvalidField


Line = FileLine | UnreadableLine


def read_json_line(number: int, raw: bytes) -> Line | None:
    """Read a line of a JSONL file, which may begin with a byte order mark. A blank line is None."""
    try:
        text = raw.decode("utf-8").removeprefix(BYTE_ORDER_MARK).strip()
    except UnicodeDecodeError as error:
        return not_utf_8(number, error)
    return _read_object(number, text) if text else None


def too_long(number: int) -> UnreadableLine:
    limit = LONGEST_LINE_BYTES // 2**20
    return _unreadable(
        number,
        "line_too_long",
        f"The line is longer than {limit} MiB, and a request has at most 1 MiB.",
    )


def not_utf_8(number: int, error: UnicodeDecodeError) -> UnreadableLine:
    """Return the fault of a line with a byte that UTF-8 does not have there."""
    return _unreadable(
        number,
        NOT_UTF_8,
        f"The line is not UTF-8. It holds the byte 0x{error.object[error.start]:02X}. "
        "The file may be Windows-1252 or Latin-1. Save it as UTF-8.",
    )


def bad_row(number: int, message: str) -> UnreadableLine:
    """Return the fault of a row of a CSV file."""
    return _unreadable(number, "row_invalid", message)


def _read_object(number: int, text: str) -> Line:
    try:
        fields = read_json(text, object_pairs_hook=_members)
    except _NameTwice as twice:
        return _unreadable(
            number,
            "json_name_twice",
            f"The line has the name {twice.name[:64]!r} twice in one object. Leave one of them out.",
        )
    except ValueError:
        return _unreadable(number, "json_invalid", "The line is not valid JSON.")
    if not isinstance(fields, dict):
        return _unreadable(number, "json_invalid", "The line is not a JSON object.")
    return FileLine(number, text, fields)


def _unreadable(number: int, code: str, message: str) -> UnreadableLine:
    return UnreadableLine(number, InvalidField(None, message, code=code))


class _NameTwice(ValueError):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object. Python would keep the last of two equal names, and another reader the first."""
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    counts = Counter(name for name, _ in pairs)
    raise _NameTwice(next(name for name, count in counts.items() if count > 1))
