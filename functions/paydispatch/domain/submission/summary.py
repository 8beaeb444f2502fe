"""Sum up the outcomes of a file's requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paydispatch.domain.claims import FINAL_STATUSES
from paydispatch.domain.outcomes import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "unknown"
"""The status of a request that may have been executed. A settled outcome may follow."""


def is_final(document: Mapping[str, Any]) -> bool:
    """Return whether a status document is that of a settled request."""
    return document.get("status") in FINAL_STATUSES


@dataclass(slots=True)
class Summary:
    """The number of requests by their ends."""

    done: int = 0
    declined: int = 0
    """Stripe refused them."""
    failed: int = 0
    """They were not executed for another reason, such as a deadline."""
    unknown: int = 0
    """They may have been executed. A later call asks again."""
    under_way: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    """The errors by `decline_code`, else by `code`, else by `kind`."""

    def add(self, document: Mapping[str, Any]) -> None:
        """Count the status document of one request."""
        status = document.get("status")
        if status == "succeeded":
            self.done += 1
        elif status not in (*FINAL_STATUSES, UNKNOWN):
            self.under_way += 1
        else:
            self._add_error(document.get("parsed_error") or {}, unknown=status == UNKNOWN)

    def _add_error(self, error: Mapping[str, Any], *, unknown: bool) -> None:
        self.by_code[_code_of(error)] += 1
        if unknown:
            self.unknown += 1
        elif error.get("kind") == ErrorKind.API:
            self.declined += 1
        else:
            self.failed += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the counts, with the most frequent errors first."""
        return {
            "done": self.done,
            "declined": self.declined,
            "failed": self.failed,
            "unknown": self.unknown,
            "under_way": self.under_way,
            "by_code": dict(self.by_code.most_common()),
        }

    @property
    def all_done(self) -> bool:
        return not (self.declined or self.failed or self.unknown or self.under_way)


def _code_of(error: Mapping[str, Any]) -> str:
    return str(error.get("decline_code") or error.get("code") or error.get("kind") or "no code")
