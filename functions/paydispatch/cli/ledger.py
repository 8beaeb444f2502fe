"""Which lines of a file who has, kept beside it: one file for every API or queue that the lines were submitted to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self

from paydispatch.domain.errors import PaydispatchError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


def ledger_of(file: Path) -> Path:
    return file.with_name(file.name + ".submitted")


class FileLedger:
    """`Ledger` of one target: the file holds one JSON array `[target, key]` a line."""

    def __init__(self, path: Path, target: str) -> None:
        self._path = path
        self._target = target

    def __enter__(self) -> Self:
        """Raises `PaydispatchError` for a file that is no ledger."""
        lines = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        noted = [self._noted(number, line) for number, line in enumerate(lines, start=1)]
        self._keys = {key for target, key in noted if target == self._target}
        self._file = self._path.open("a", encoding="utf-8")
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

    def _noted(self, number: int, line: str) -> tuple[str, str]:
        try:
            noted = json.loads(line)
        except ValueError:
            noted = None
        if not (isinstance(noted, list) and len(noted) == 2):
            raise PaydispatchError(
                f"{self._path}, line {number}, does not name a target and a key. "
                "Without that line its request is submitted again, under the same identity."
            )
        return noted[0], noted[1]
