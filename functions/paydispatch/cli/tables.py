"""Prints tables. The first column holds an id and is never cut, so that a user can copy it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from paydispatch.domain.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

WIDTH_OF_A_FILE = 240
"""The width of a line in characters when the output is not a terminal."""


def show_table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for number, header in enumerate(headers):
        table.add_column(header, no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(printable, row))
    width = None if sys.stdout.isatty() else WIDTH_OF_A_FILE
    Console(highlight=False, markup=False, width=width).print(table)
