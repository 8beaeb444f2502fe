"""Group the faults of a file, so that 500 equal ones are one line of the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paydispatch.domain.submission.check import Fault

FIRST_LINES = 5
"""A group names so many lines, and the count of all."""

MOST_GROUPS = 1_000
"""Faults of further kinds are only counted, because a longer list is not read to its end."""


@dataclass(slots=True)
class FaultGroup:
    """The faults of one parameter with one code. Their messages may differ in the wrong value that each repeats."""

    param: str | None
    code: str
    message: str
    """The message of the first one."""
    count: int = 0
    lines: list[int] = field(default_factory=list)
    """The numbers of the first lines."""
    alike: bool = True
    """Whether all messages are equal."""

    def add(self, line: int, message: str) -> None:
        self.count += 1
        self.alike = self.alike and message == self.message
        if len(self.lines) < FIRST_LINES:
            self.lines.append(line)


class FaultGroups:
    def __init__(self) -> None:
        self._groups: dict[tuple[str | None, str], FaultGroup] = {}
        self.faulty_lines = 0
        self.left_out = 0
        """The faults beyond `MOST_GROUPS` kinds."""

    def add(self, line: int, faults: Iterable[Fault]) -> None:
        """Note the faults of one line."""
        self.faulty_lines += 1
        for fault in faults:
            self._add(line, fault)

    def by_count(self) -> list[FaultGroup]:
        """Return the groups, the largest first."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, group.lines[0]))

    def _add(self, line: int, fault: Fault) -> None:
        kind = (fault.param, fault.code)
        if kind not in self._groups and len(self._groups) == MOST_GROUPS:
            self.left_out += 1
            return
        group = self._groups.setdefault(kind, FaultGroup(*kind, fault.message))
        group.add(line, fault.message)
