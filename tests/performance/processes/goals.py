"""The goals of the limits, each with the figure that was measured and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    name: str
    figure: float | None
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    of_time: bool = True
    """A busy machine or a quick run can miss it. A goal of correctness holds always."""

    @property
    def holds(self) -> bool:
        if self.figure is None:
            return False
        above = self.at_least is None or self.figure >= self.at_least
        return above and (self.at_most is None or self.figure <= self.at_most)

    def as_json(self) -> dict[str, object]:
        return {
            "goal": self.name,
            "figure": self.figure,
            "unit": self.unit,
            "at_least": self.at_least,
            "at_most": self.at_most,
            "holds": self.holds,
        }

    def as_text(self) -> str:
        wanted = (
            f"at least {self.at_least:g}" if self.at_most is None else f"at most {self.at_most:g}"
        )
        figure = "none" if self.figure is None else f"{self.figure:g}"
        holds = "holds" if self.holds else "DOES NOT HOLD"
        return f"{self.name:<62} {figure:>9} {self.unit:<8} {wanted + ' ' + self.unit:<22} {holds}"
