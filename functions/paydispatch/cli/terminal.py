"""Prints lines without control characters and keys, because they may contain text from a tenant or from Stripe."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

from paydispatch.domain.text.printable import printable, printable_lines
from paydispatch.domain.text.redaction import redact

if TYPE_CHECKING:
    from types import TracebackType


def say(line: object) -> None:
    print(printable(line))


def complain(line: object) -> None:
    """Print one line on stderr, after flushing stdout so that the order stays."""
    sys.stdout.flush()
    print(printable(line), file=sys.stderr)


def complain_in_lines(text: object) -> None:
    """Print a text of several lines on stderr, after flushing stdout."""
    sys.stdout.flush()
    print(printable_lines(text), file=sys.stderr)


def say_json(value: Any, *, indent: int | None = None) -> None:
    """Print JSON. It escapes every control character except DEL, which is escaped here."""
    print(redact(json.dumps(value, indent=indent)).replace("\x7f", "\\u007f"))


class PrintableFormatter(logging.Formatter):
    """Formats log lines and tracebacks without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


def show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print a traceback as `sys.excepthook`, because the text of an error may come from a tenant or from Stripe."""
    complain_in_lines("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))
