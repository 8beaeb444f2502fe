"""The ledger of a file of requests, stored beside it: the id of its run, and the lines that each API or queue has.

The first line names the run: `{"run": "run_…"}`. Every other line is one JSON array `[target, key]`. A file without a
ledger is submitted as a new run, so that its lines are new requests.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
from typing import TYPE_CHECKING, Self, TextIO

from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.text.json_text import BYTE_ORDER_MARK

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

_RUN = re.compile(r"run_[0-9a-f]{16}")


def ledger_of(file: Path) -> Path:
    return file.with_name(file.name + ".submitted")


def run_id(text: str) -> str:
    """Return the run id of `--run`."""
    if not _RUN.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a run id such as run_0123456789abcdef")
    return text


class FileLedger:
    """The `Ledger` of one target. `wanted_run` continues a run after the loss of its ledger."""

    def __init__(self, path: Path, target: str, *, wanted_run: str | None = None) -> None:
        self._path = path
        self._target = target
        self._wanted_run = wanted_run

    def __enter__(self) -> Self:
        """Read the ledger, or begin one. Raises `PaydispatchError` for a file that is no ledger or is in use."""
        self._file = self._path.open("a+", encoding="utf-8")
        try:
            _lock(self._file, self._path)
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._file.close()

    def has(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        self._keys.add(key)
        self._file.write(json.dumps([self._target, key]) + "\n")
        self._file.flush()

    def _read(self) -> None:
        self._file.seek(0)
        lines = self._file.read().removeprefix(BYTE_ORDER_MARK).splitlines()
        self.run = self._run_of(lines[0]) if lines else self._begin()
        entries = [self._read_entry(number, line) for number, line in enumerate(lines[1:], start=2)]
        self._keys = {key for target, key in entries if target == self._target}

    def _begin(self) -> str:
        """Write the run id durably before a line is sent, because under another id the lines become new requests."""
        run = self._wanted_run or f"run_{secrets.token_hex(8)}"
        self._file.write(json.dumps({"run": run}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        _sync_folder(self._path.parent)
        return run

    def _run_of(self, line: str) -> str:
        run = _run_in(line)
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

    def _read_entry(self, number: int, line: str) -> tuple[str, str]:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not (isinstance(entry, list) and len(entry) == 2):
            raise PaydispatchError(
                f"{self._path}, line {number}, does not name a target and a key. "
                "If you delete that line, its request is submitted again under the same identity."
            )
        return entry[0], entry[1]


def _run_in(line: str) -> str | None:
    try:
        run = json.loads(line)["run"]
    except (ValueError, LookupError, TypeError):
        return None
    return run if isinstance(run, str) and _RUN.fullmatch(run) else None


def _lock(file: TextIO, path: Path) -> None:
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
