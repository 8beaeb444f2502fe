"""The report of one call of the command."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not submitted, and why."""

    line: int
    param: str | None
    message: str
    code: str | None = None
    """It has the same value for all lines with a fault of one kind."""


@dataclass(slots=True)
class Report:
    """The lines of one call. It is updated line by line, so that it is right also after an interruption."""

    run: str | None = None
    submitted: int = 0
    submitted_before: int = 0
    """Lines that were skipped, because the ledger has them."""
    refused: list[Refusal] = field(default_factory=list)

    @property
    def dealt_with(self) -> int:
        """The number of lines that were submitted, skipped or refused."""
        return self.submitted + self.submitted_before + len(self.refused)
