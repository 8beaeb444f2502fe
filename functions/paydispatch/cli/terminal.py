"""Prints lines without control characters and keys, because they may contain text from a tenant or from Stripe."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

from paydispatch.domain.text.printable import printable, printable_lines
from paydispatch.domain.text.redaction import redact

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

WIDTH_OF_A_FILE = 240
"""The width of a line in characters when the output is not a terminal."""


def say(line: object) -> None:
    print(printable(line))


def say_lines(text: object) -> None:
    """Print a text of several lines. The line breaks must be our own."""
    print(printable_lines(text))


def complain(line: object) -> None:
    """Print one line on stderr, after flushing stdout so that the order stays."""
    sys.stdout.flush()
    print(printable(line), file=sys.stderr)


def complain_in_lines(text: object) -> None:
    """Print a text of several lines on stderr, after flushing stdout."""
    sys.stdout.flush()
    print(printable_lines(text), file=sys.stderr)


def say_json(value: Any, *, indent: int | None = None) -> None:
    """Print JSON and flush it. It escapes every control character except DEL, which is escaped here."""
    print(redact(json.dumps(value, indent=indent)).replace("\x7f", "\\u007f"), flush=True)


def open_console(*, stderr: bool = False) -> Console:
    """Return the console of rich. With `NO_COLOR` it prints no escape sequence at all, not even for bold text.

    `COLUMNS` sets the width. Without it a terminal has its own width, and a file has `WIDTH_OF_A_FILE`.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    wide = not stream.isatty() and not os.environ.get("COLUMNS")
    return Console(
        stderr=stderr,
        highlight=False,
        width=WIDTH_OF_A_FILE if wide else None,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )


class PrintableFormatter(logging.Formatter):
    """Formats log lines and tracebacks without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


def show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print a traceback as `sys.excepthook`, because the text of an error may come from a tenant or from Stripe."""
    complain_in_lines("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))
