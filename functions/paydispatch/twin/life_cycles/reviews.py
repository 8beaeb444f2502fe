"""A review of a payment is closed when it is approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydispatch.twin.life_cycles.change import Change


def approve(change: Change) -> None:
    """Close the review as approved."""
    change.merge()
    change.target.update(open=False, closed_reason="approved", reason="approved")
