"""The ledger of a file of requests, stored beside it: the id of its run, and the lines that each API or queue has.

Its first line names the run. Each further line is one of these:

    {"begun": [[line, key, content], …], "target": target, "at": seconds}    they are about to be handed over
    [target, key, request id]                                                the target has the line
    [target, key, null]                                                      the target does not have the line

An older version wrote `[target, key]` for a line that the target has. A file without a ledger is submitted as a new
run, so that its lines are new requests.
"""

from __future__ import annotations

import argparse
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO, Self

from paydispatch.cli.submission.ledger_lines import (
    RUN,
    is_torn,
    read_entry,
    read_run,
    write_begun,
    write_end,
    write_run,
)
from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.text.json_text import BYTE_ORDER_MARK
from paydispatch.services.submission.ports import Entry, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from paydispatch.services.submission.ports import Begun


SHOWN_LINES = 5


def ledger_of(file: Path) -> Path:
    return file.with_name(file.name + ".submitted")


def run_id(text: str) -> str:
    """Return the run id of `--run`."""
    if not RUN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a run id such as run_0123456789abcdef")
    return text


class FileLedger:
    """The `Ledger` of one target. `wanted_run` continues a run after the loss of its ledger."""

    def __init__(self, path: Path, target: str, *, wanted_run: str | None = None) -> None:
        self._path = path
        self._target = target
        self._wanted_run = wanted_run
        self._begun: list[Begun] = []
        self._now_s = 0.0
        self.entries: dict[str, Entry] = {}

    def __enter__(self) -> Self:
        """Read the ledger, or begin one. Raises `PaydispatchError` for a file that is no ledger or is in use."""
        self._file = self._path.open("ab+")
        try:
            _lock(self._file, self._path)
            self._file.seek(0)
            run = self._read(self._mend_end(self._file))
            self.run = self._begin_run() if run is None else run
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._file.close()

    def check_unchanged(self, changed: Sequence[int]) -> None:
        """Raise `PaydispatchError` if lines changed, because a changed line would be a second request."""
        if changed:
            raise PaydispatchError(self._say_changed(changed))

    def peek(self) -> Self:
        """Read the ledger and leave it as it is, also if there is none. `run` is empty then."""
        try:
            with self._path.open("rb") as file:
                self.run = self._read(_lines_of(file)) or ""
        except FileNotFoundError:
            self.run = ""
        return self

    def begin(self, line: Begun, now_s: float) -> None:
        entry = self.entries.setdefault(
            line.key, Entry(Stage.BEGUN, line.line, line.content, begun_at=now_s)
        )
        entry.stage = Stage.BEGUN
        self._begun.append(line)
        self._now_s = now_s

    def make_durable(self) -> None:
        begun, self._begun = self._begun, []
        if begun:
            self._write(write_begun(self._target, begun, self._now_s))
            os.fsync(self._file.fileno())

    def mark_submitted(self, key: str, request_id: str) -> None:
        entry = self.entries[key]
        entry.stage, entry.request_id = Stage.SUBMITTED, request_id
        self._write(write_end(self._target, key, request_id))

    def mark_refused(self, key: str) -> None:
        """Record a refusal, unless an earlier call may have handed the line over.

        That hand-over may have arrived, although this one was refused, for instance because a token expired meanwhile.
        """
        if self.entries[key].in_doubt:
            self.entries[key].stage = Stage.BEGUN_EARLIER
            return
        del self.entries[key]
        self._write(write_end(self._target, key, None))

    def _write(self, line: str) -> None:
        """Hand one line to the operating system, which keeps it if this process is killed."""
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def _read(self, lines: Iterable[bytes]) -> str | None:
        """Read the entries, and return the run. None: the ledger is empty."""
        run = None
        for number, raw in enumerate(lines, start=1):
            line = raw.decode("utf-8", "replace").removeprefix(BYTE_ORDER_MARK)
            if number == 1:
                run = self._check_run(read_run(line))
            elif not read_entry(line, self._target, self.entries):
                raise PaydispatchError(
                    f"{self._path}, line {number}, does not name a target and a key. "
                    "If you delete that line, its request is submitted again under the same identity."
                )
        return run

    def _begin_run(self) -> str:
        """Write the run id durably before a line is sent, because under another id the lines become new requests."""
        run = self._wanted_run or f"run_{secrets.token_hex(8)}"
        self._write(write_run(run))
        os.fsync(self._file.fileno())
        _sync_folder(self._path.parent)
        return run

    def _check_run(self, run: str | None) -> str:
        if run is None:
            raise PaydispatchError(
                f"{self._path}, line 1, does not name a run. "
                "If you delete that file, every line is submitted as a new request."
            )
        if self._wanted_run not in (None, run):
            raise PaydispatchError(
                f"{self._path} is the ledger of {run}, not of {self._wanted_run}."
            )
        return run

    def _say_changed(self, changed: Sequence[int]) -> str:
        first, more = changed[0], len(changed) - 1
        others = f" (nor are {more} more: {_join_some(changed[1:])})" if more else ""
        return (
            f"Line {first} is not as {self.run} submitted it to {self._target}{others}. Nothing was sent now. "
            "Put the line back, use the options of that time, and add a changed line as a further one. "
            f"If this is another file, move {self._path} away, and every line is a new request."
        )

    def _mend_end(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the lines, cut off a torn one, and end the last one, so that the next line begins on its own."""
        size, last = 0, b"\n"
        for last in _lines_of(file):
            size += len(last)
            yield last
        file.truncate(size)
        if not last.endswith(b"\n"):
            file.write(b"\n")


def _join_some(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:SHOWN_LINES]))
    return f"{shown} …" if len(numbers) > SHOWN_LINES else shown


def _lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines without a torn last one.

    A full disk or a power cut may leave it. It says nothing that the lines before it do not, because a hand-over
    follows only after a whole line.
    """
    for number, line in enumerate(file, start=1):
        if line.endswith(b"\n") or not is_torn(number, line):
            yield line


def _lock(file: BinaryIO, path: Path) -> None:
    """Lock the ledger, because a second submission of the same file could begin another run."""
    import fcntl  # not on Windows, where only this command needs it

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise PaydispatchError(
            f"{path} is in use by another `paydispatch submit` of the same file."
        ) from None


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
