"""The newest requests of a worker, as a list shows them. Pure data, read by `Recent`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

WHY_SHOWN = 300
"""The characters that a list shows of an error. An error of Stripe may be long, and a list has thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRequest:
    """One request. It holds neither parameters nor a key."""

    request_id: str
    tenant: str | None
    """None: the queue's tenant."""
    worker_id: str
    context_id: str
    operation: str
    status: str
    """That of the request's slot, or that of its outcome: `succeeded`, `failed` or `unknown`."""
    at: float
    """Unix seconds of the outcome, or of the acceptance while there is none."""
    accepted_at: float | None = None
    attempts: int = 0
    account: str | None = None
    stripe_id: str | None = None
    why: str | None = None
    """The error, or the reason for which the request waits."""
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The requests that one reading found."""

    open: tuple[RecentRequest, ...]
    outcomes: tuple[RecentRequest, ...]
    """Those that came after the reading before."""
    places: dict[str, str]
    """For each worker, the id of the newest entry that was read. The next reading goes on after it."""

    def as_document(self) -> dict[str, Any]:
        """Return the page as JSON values, which `page_of_document` reads."""
        return {
            "open": [asdict(one) for one in self.open],
            "outcomes": [asdict(one) for one in self.outcomes],
            "places": self.places,
        }


def page_of_document(document: Mapping[str, Any]) -> Page:
    """Return the page that `as_document` wrote. A field of a newer release is left out."""
    return Page(
        open=tuple(map(_request, document["open"])),
        outcomes=tuple(map(_request, document["outcomes"])),
        places=dict(document["places"]),
    )


def _request(fields: Mapping[str, Any]) -> RecentRequest:
    known = RecentRequest.__dataclass_fields__
    return RecentRequest(**{name: value for name, value in fields.items() if name in known})
