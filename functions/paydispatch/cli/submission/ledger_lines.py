"""Read and write the lines of a ledger. The docstring of `ledger.py` lists them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from paydispatch.services.submission.ports import Entry, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paydispatch.services.submission.ports import Begun

RUN = re.compile(r"run_[0-9a-f]{16}")


def write_run(run: str) -> str:
    return json.dumps({"run": run})


def write_begun(target: str, lines: Sequence[Begun], now_s: float) -> str:
    named = [[line.line, line.key, line.content] for line in lines]
    return json.dumps({"begun": named, "target": target, "at": int(now_s)})


def write_end(target: str, key: str, request_id: str | None) -> str:
    """Return the line of a request that the target has, or certainly does not have (None)."""
    return json.dumps([target, key, request_id])


def read_run(text: str) -> str | None:
    """Return the run of a ledger's first line. None: it names no run."""
    try:
        run = json.loads(text)["run"]
    except (ValueError, LookupError, TypeError):
        return None
    return run if isinstance(run, str) and RUN.fullmatch(run) else None


def read_entry(text: str, target: str, entries: dict[str, Entry]) -> bool:
    """Add one line of a ledger to the entries of a target. Return False if it is not such a line."""
    try:
        line = json.loads(text)
    except ValueError:
        return False
    if isinstance(line, dict):
        return _read_begun(line, target, entries)
    return _read_end(line, target, entries)


def _read_begun(line: dict[str, Any], target: str, entries: dict[str, Entry]) -> bool:
    match line:
        case {"begun": [*lines], "target": str(named), "at": int(at)}:
            right = all(_is_begun(each) for each in lines)
        case _:
            return False
    if right and named == target:
        for number, key, content in lines:
            _begin(entries, key, number, content, float(at))
    return right


def _begin(entries: dict[str, Entry], key: str, number: int, content: str, begun_at: float) -> None:
    """Add a line that began. One that began before keeps its first time."""
    if key not in entries:
        entries[key] = Entry(Stage.BEGUN_EARLIER, number, content, begun_at=begun_at, in_doubt=True)


def _read_end(line: Any, target: str, entries: dict[str, Entry]) -> bool:
    match line:
        case [str(named), str(key)]:  # of an older version
            request_id: str | None = ""
        case [str(named), str(key), str() | None as request_id]:
            pass
        case _:
            return False
    if named != target:
        return True
    if request_id is None:
        entries.pop(key, None)
        return True
    entry = entries.setdefault(key, Entry(Stage.SUBMITTED))
    entry.stage, entry.request_id = Stage.SUBMITTED, request_id or None
    return True


def _is_begun(line: Any) -> bool:
    match line:
        case [int(), str(), str()]:
            return True
    return False


def is_torn(number: int, line: bytes) -> bool:
    """Return whether a last line without its end is the beginning of a line of a ledger, and not another text."""
    if number == 1:
        return (
            _begins_alike(line, b'{"run": "run_')
            and read_run(line.decode("utf-8", "replace")) is None
        )
    begins = _begins_alike(line, b'{"begun": [') or line.startswith((b'["', b"\0")) or line == b"["
    return begins and not read_entry(line.decode("utf-8", "replace"), "", {})


def _begins_alike(line: bytes, start: bytes) -> bool:
    return line.startswith(start) or start.startswith(line)
