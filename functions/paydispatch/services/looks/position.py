"""The position of a pass in its list, which a later invocation goes on from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from paydispatch.domain.operators.lookup_results import NotFound
from paydispatch.domain.operators.lookups import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.domain.operators.lookup_results import Page


@dataclass(slots=True)
class Step:
    """One interval of one query of the list."""

    query: str
    window: Window


@dataclass(slots=True)
class Position:
    """How far a pass has read its list."""

    name: str
    """The list."""
    began_at: float
    """Unix seconds."""
    phase: int = 0
    """0: near the first sends. 1: the rest of the windows."""
    steps: list[Step] = field(default_factory=list)
    """The steps that are left. The first one is being read."""
    after: str | None = None
    """The oldest object of the step that was seen."""
    pages: int = 0
    answered_at: float | None = None
    """Unix seconds by Stripe's clock, of the first page."""
    apart_s: float | None = 0.0
    """The greatest difference between Stripe's clock and ours. None: a page had no time."""

    def note(self, page: Page, now_s: float) -> None:
        """Note that a page was read, and move behind its last object."""
        self.pages += 1
        self._compare_clocks(page.answered_at, now_s)
        if page.has_more is True and page.objects:
            self.after = str(page.objects[-1].get("id"))
        else:
            self.end_step()

    def end_step(self) -> None:
        self.steps.pop(0)
        self.after = None

    def absence(self) -> NotFound:
        """Return the absence that the pass has seen, with the clocks' greatest difference at any of its pages."""
        known = self.apart_s is not None and self.pages
        return NotFound(self.began_at + (self.apart_s or 0.0) if known else None)

    def as_json(self) -> dict[str, Any]:
        steps = [[step.query, step.window.earliest, step.window.latest] for step in self.steps]
        names = ("name", "began_at", "phase", "after", "pages", "answered_at", "apart_s")
        return {**{name: getattr(self, name) for name in names}, "steps": steps}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Position:
        steps = [Step(query, Window(first, last)) for query, first, last in fields["steps"]]
        return cls(**{**fields, "steps": steps})

    def _compare_clocks(self, answered_at: float | None, now_s: float) -> None:
        if self.pages == 1:
            self.answered_at = answered_at
        if answered_at is None or self.apart_s is None:
            self.apart_s = None
        elif abs(answered_at - now_s) > abs(self.apart_s):
            self.apart_s = answered_at - now_s


class PositionKeeper(Protocol):
    """Keeps the position of a pass, so that no page is read twice."""

    def resume(self, name: str) -> Position | None:
        """Return the position in this list at which an earlier invocation stopped."""
        ...

    async def keep(self, position: Position | None) -> bool:
        """Keep the position. None: the list was read to its end. False: another pass has taken over.

        Raises `Unavailable`.
        """
        ...


class NoKeeper:
    """Keeps nothing, for a pass of a command."""

    def resume(self, name: str) -> Position | None:  # noqa: ARG002 - there never is one
        return None

    async def keep(self, position: Position | None) -> bool:  # noqa: ARG002 - nothing is kept
        return True
