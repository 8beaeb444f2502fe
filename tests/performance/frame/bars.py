"""Draws horizontal bars as a small SVG file, without a library."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WIDTH, LEFT, RIGHT = 640, 250, 80
LINE, TOP = 22, 34
OURS, THEIRS = "#1f77b4", "#b0b0b0"


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    value: float

    @property
    def is_ours(self) -> bool:
        return self.name.startswith(("paydispatch", "our own"))


def draw_bars(path: Path, title: str, bars: Sequence[Bar]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_svg(title, bars), "utf-8")


def as_svg(title: str, bars: Sequence[Bar]) -> str:
    height = TOP + LINE * len(bars) + 8
    longest = max(bar.value for bar in bars) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="18" font-weight="bold">{escape(title)}</text>',
        *(part for place, bar in enumerate(bars) for part in _bar(place, bar, longest)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bar(place: int, bar: Bar, longest: float) -> Sequence[str]:
    top = TOP + LINE * place
    width = max(1.0, (WIDTH - LEFT - RIGHT) * bar.value / longest)
    colour = OURS if bar.is_ours else THEIRS
    return (
        f'<text x="{LEFT - 6}" y="{top + 13}" text-anchor="end">{escape(bar.name)}</text>',
        f'<rect x="{LEFT}" y="{top + 3}" width="{width:.1f}" height="{LINE - 8}" fill="{colour}"/>',
        f'<text x="{LEFT + width + 4:.1f}" y="{top + 13}">{bar.value:,.3g}</text>'
        if bar.value < 100
        else f'<text x="{LEFT + width + 4:.1f}" y="{top + 13}">{bar.value:,.0f}</text>',
    )
