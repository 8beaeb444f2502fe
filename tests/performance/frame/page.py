"""Writes docs/benchmarks.md between its markers, and a picture for each row that has peers."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from tests.performance.frame.bars import Bar, draw_bars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.performance.frame.programs import Contestant, Figures
    from tests.performance.frame.rows import Row

BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
PAGE, PICTURES, PROFILES = "benchmarks.md", "benchmarks", "profiles.md"
UNITS = {"us": "µs", "per_s": "1/s"}


def write_page(
    docs: Path, rows: Sequence[Row], figures: Figures, machine: Mapping[str, Any]
) -> None:
    body = "\n\n".join(
        [machine_line(machine), _overview(rows, figures), *_sections(docs, rows, figures)]
    )
    replace_between(docs / PAGE, BEGIN, END, body)


def replace_between(page: Path, begin: str, end: str, body: str) -> None:
    """Write the text between two markers of a page. Raises `ValueError` if a marker is missing."""
    text = page.read_text("utf-8")
    start, stop = text.index(begin) + len(begin), text.index(end)
    page.write_text(f"{text[:start]}\n{body}\n{text[stop:]}", "utf-8")


def as_text(rows: Sequence[Row], figures: Figures) -> str:
    return "\n".join(
        "\n".join((f"\n{row.title}", *(_text_line(row, figures[row.name], name) for name in named)))
        for row in rows
        if (named := _by_median(row, figures.get(row.name, {})))
    )


def median(contestant: Contestant) -> float:
    return statistics.median(contestant.rounds)


def machine_line(machine: Mapping[str, Any]) -> str:
    load = ", ".join(map(str, machine["load"]))
    return (
        f"Measured {machine['at']} on {machine['processor']}, {machine['cores']} cores, {machine['system']}, Python "
        f"{machine['python']}. The load averages at the begin were {load}. Above 1, other work shared the machine."
    )


def _sections(docs: Path, rows: Sequence[Row], figures: Figures) -> list[str]:
    return [_section(docs, row, figures[row.name]) for row in rows if figures.get(row.name)]


def _section(docs: Path, row: Row, contestants: Mapping[str, Contestant]) -> str:
    names = _by_median(row, contestants)
    lines = [f"### {row.title}", "", *_reach_lines(row, contestants)]
    lines += [
        f"| | median, {_unit(row)} | lowest | highest | rounds | ratio |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_table_line(row, contestants, name) for name in names]
    if len(names) > 1:
        picture = f"{PICTURES}/{row.name.replace(':', '').replace(' ', '-')}.svg"
        bars = [Bar(name, median(contestants[name])) for name in names]
        draw_bars(docs / picture, f"{row.title}, {_unit(row)}", bars)
        lines += ["", f"![{row.title}]({picture})"]
    return "\n".join(lines)


def _overview(rows: Sequence[Row], figures: Figures) -> str:
    """Return a table of every reach."""
    lines = ["| row | reach | in this run | |", "|---|---|---|---|"]
    for row in rows:
        contestants = figures.get(row.name, {})
        for name, reach in _measured_reaches(row, contestants).items():
            title = row.title if name == row.figure else f"{row.title}: {name}"
            found = f"{_number(median(contestants[name]))} {_unit(row)}"
            lines.append(
                f"| {title} | {_bound(row, reach)} | {found} | {_found(row, contestants[name], reach)} |"
            )
    return "\n".join(lines)


def _reach_lines(row: Row, contestants: Mapping[str, Contestant]) -> list[str]:
    lines = [
        f"Reach{'' if name == row.figure else f' of {name}'}: {_bound(row, reach)}, "
        f"{_found(row, contestants[name], reach)}."
        for name, reach in _measured_reaches(row, contestants).items()
    ]
    if len(lines) > 1:
        lines = [f"- {line}" for line in lines]
    return [*lines, ""] if lines else []


def _measured_reaches(row: Row, contestants: Mapping[str, Contestant]) -> dict[str, float]:
    return {name: reach for name, reach in row.all_reaches().items() if name in contestants}


def _bound(row: Row, reach: float) -> str:
    return f"at {'least' if row.higher_is_better else 'most'} {reach:g} {_unit(row)}"


def _found(row: Row, contestant: Contestant, reach: float) -> str:
    measured = median(contestant)
    if measured >= reach if row.higher_is_better else measured <= reach:
        return "reached"
    why = f" ([profile]({PROFILES}#{row.profile}))" if row.profile else ""
    return f"not reached in this run{why}"


def _table_line(row: Row, contestants: Mapping[str, Contestant], name: str) -> str:
    contestant = contestants[name]
    own = contestants.get(row.figure)
    ratio = f"{median(contestant) / median(own):.2f}" if own and median(own) else ""
    rounds = contestant.rounds
    cells = (_number(median(contestant)), _number(min(rounds)), _number(max(rounds)))
    return f"| {name} | {' | '.join(cells)} | {len(rounds)} | {ratio} |"


def _text_line(row: Row, contestants: Mapping[str, Contestant], name: str) -> str:
    rounds = contestants[name].rounds
    spread = f"{_number(min(rounds))} … {_number(max(rounds))}"
    return f"  {name:<42}{_number(median(contestants[name])):>12} {_unit(row)}   ({spread})"


def _by_median(row: Row, contestants: Mapping[str, Contestant]) -> list[str]:
    """Return the names, the best first."""
    return sorted(
        contestants, key=lambda name: median(contestants[name]), reverse=row.higher_is_better
    )


def _unit(row: Row) -> str:
    return UNITS.get(row.unit, row.unit)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
