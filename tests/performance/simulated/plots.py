"""Draws the pictures of docs/limits.md as small SVG files, without a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.performance.simulated import scenarios
from tests.performance.simulated.figures import calls_per_s, refusals_per_s

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.performance.simulated.scenarios import Row, Scenario

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 50, 150, 30, 40
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
TICKS = 5


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    across: str
    up: str
    lines: Sequence[Line]

    def as_svg(self) -> str:
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="11">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
            _text(LEFT, 18, self.title, "font-weight='bold'"),
            *self._axes(),
            *(part for place, line in enumerate(self.lines) for part in self._curve(place, line)),
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    @property
    def _widest(self) -> float:
        return max(x for line in self.lines for x, _ in line.points) or 1.0

    @property
    def _highest(self) -> float:
        return 1.1 * max(y for line in self.lines for _, y in line.points) or 1.0

    def _axes(self) -> list[str]:
        bottom, end = HEIGHT - BOTTOM, WIDTH - RIGHT
        marks = [
            f'<path d="M{LEFT} {TOP}V{bottom}H{end}" fill="none" stroke="#333"/>',
            _text(end - 60, HEIGHT - 6, self.across),
            _text(4, TOP - 4, self.up),
        ]
        for tick in range(TICKS + 1):
            x, y = self._widest * tick / TICKS, self._highest * tick / TICKS
            marks.append(_text(self._x(x) - 8, bottom + 15, f"{x:.0f}"))
            marks.append(_text(14, self._y(y) + 4, f"{y:.3g}"))
        return marks

    def _curve(self, place: int, line: Line) -> list[str]:
        colour = COLOURS[place % len(COLOURS)]
        points = " ".join(f"{self._x(x):.1f},{self._y(y):.1f}" for x, y in line.points)
        at = TOP + 16 * place + 10
        return [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
            _text(WIDTH - RIGHT + 12, at, line.name, f"fill='{colour}'"),
        ]

    def _x(self, x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * x / self._widest

    def _y(self, y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * y / self._highest


def draw(scenario: Scenario, folder: Path, seed: int) -> None:
    """Draw the picture of a scenario, if it has one."""
    make = _CHARTS.get(scenario.name)
    if make is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{scenario.name}.svg").write_text(make(scenario, seed).as_svg(), "utf-8")


def _halving(_scenario: Scenario, seed: int) -> Chart:
    fleet = scenarios.run_halving(seed, scenarios.OPERATIONS)
    seconds = range(scenarios.HALVING_ENDS_S)
    enforced = [
        (second, 50 if scenarios.HALVED_AT_S <= second < scenarios.RESTORED_AT_S else 100)
        for second in seconds
    ]
    return Chart(
        "Stripe halves the limit of an account, and restores it",
        "seconds",
        "calls/s",
        (
            Line("executed", _points(seconds, calls_per_s(fleet, scenarios.FIRST, seconds))),
            Line(
                "refused (429)", _points(seconds, refusals_per_s(fleet, scenarios.FIRST, seconds))
            ),
            Line("enforced by Stripe", enforced),
        ),
    )


def _sleeping(scenario: Scenario, _seed: int) -> Chart:
    return Chart(
        "Cost of a million calls by the longest sleep",
        "seconds of sleep",
        "USD",
        tuple(
            _by(scenario.rows, f"batches of {size}", size, lambda row: row["usd_per_million"])
            for size in (10, 100)
        ),
    )


def _by(rows: Sequence[Row], name: str, size: int, value: Callable[[Row], float]) -> Line:
    return Line(name, [(row["sleep_s"], value(row)) for row in rows if row["batch_size"] == size])


_CHARTS: dict[str, Callable[[Scenario, int], Chart]] = {"halving": _halving, "sleeping": _sleeping}


def _points(seconds: range, values: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip(seconds, values, strict=True))


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" {style}>{text}</text>'
