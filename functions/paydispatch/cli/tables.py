"""Prints tables. If a table is wider than the terminal, it prints a paragraph for each row instead.

The first column holds an id and is never cut, so that a user can copy it.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from paydispatch.cli.terminal import open_console
from paydispatch.domain.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

INDENT = "  "


def show_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print the rows, all of whose cells may be foreign text."""
    console = open_console()
    cells = [[printable(cell) for cell in row] for row in rows]
    table = _table(headers, cells)
    if _fits(table, console):
        console.print(table, markup=False)
    else:
        for line in _paragraphs(headers, cells, console.width):
            console.print(line, markup=False, soft_wrap=True)


def _table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for header in headers:
        table.add_column(header, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _fits(table: Table, console: Console) -> bool:
    return console.measure(table, options=console.options.update(width=10_000)).maximum <= (
        console.width
    )


def _paragraphs(headers: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> Iterator[str]:
    """Yield the first cell of each row, and below it a line for each other cell that is not empty."""
    widest = max(map(len, headers[1:]), default=0)
    for first, *others in rows:
        yield first
        for header, cell in zip(headers[1:], others, strict=True):
            if cell:
                yield from _wrap(f"{INDENT}{header:<{widest}}  ", cell, width)


def _wrap(label: str, cell: str, width: int) -> list[str]:
    return textwrap.wrap(
        cell,
        max(width, len(label) + 1),
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )
