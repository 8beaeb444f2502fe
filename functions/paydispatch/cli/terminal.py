"""How the commands print: each line may hold text of others."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

from paydispatch.domain.printable import printable, printable_lines
from paydispatch.domain.redaction import redact

if TYPE_CHECKING:
    from types import TracebackType


def say(line: object) -> None:
    print(printable(line))


def complain(line: object) -> None:
    """On stderr, after what was said before it."""
    sys.stdout.flush()
    print(printable(line), file=sys.stderr)


def complain_in_lines(text: object) -> None:
    """The same for a text of ours that has several."""
    sys.stdout.flush()
    print(printable_lines(text), file=sys.stderr)


def say_json(value: Any, *, indent: int | None = None) -> None:
    """JSON escapes every control character but one, which terminals do not show."""
    print(redact(json.dumps(value, indent=indent)).replace("\x7f", "\\u007f"))


class PrintableFormatter(logging.Formatter):
    """Log lines, and tracebacks below them line by line."""

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record))


def show_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """For `sys.excepthook`: the text of an error may be text of others."""
    complain_in_lines("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))
