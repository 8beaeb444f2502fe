"""Shows a progress bar on a terminal. Elsewhere nothing is shown, and nothing is loaded for it."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from paydispatch.cli.terminal import open_console
from paydispatch.domain.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UPDATE_EVERY_S = 0.1
"""A bar costs more than a line, so that it is not drawn with every line."""


@contextmanager
def show_progress(title: str, total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yield the function that takes the number of finished items. The bar goes to stderr, and obeys NO_COLOR."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, console=open_console(stderr=True)) as bar:
        task = bar.add_task(escape(printable(title)), total=total)
        yield _now_and_then(lambda done: bar.update(task, completed=done), total)


def _now_and_then(update: Callable[[int], None], total: int) -> Callable[[int], None]:
    shown_at = 0.0

    def show(done: int) -> None:
        nonlocal shown_at
        now = time.monotonic()
        if now - shown_at >= UPDATE_EVERY_S or done == total:
            shown_at = now
            update(done)

    return show
