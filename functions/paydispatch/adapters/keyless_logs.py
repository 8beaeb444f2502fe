"""Keep keys out of the logs, at every log level and in every debug mode of a library.

At DEBUG, botocore prints every answer, and those of KMS and Secrets Manager hold keys. Such lines are dropped.
Other libraries may quote their input. Each of their lines is redacted.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from paydispatch.domain.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

_PRINT_BODIES = ("botocore.parsers", "botocore.endpoint")


def drop_bodies_of_aws() -> None:
    """Drop botocore's lines with bodies by a filter. A level would not do: `boto3.set_stream_logger` resets it."""
    for name in _PRINT_BODIES:
        logging.getLogger(name).addFilter(_is_warning)


def redact_records() -> None:
    """Redact every log record of this process. Only for paydispatch's own programs, not for users of the SDK."""
    before = logging.getLogRecordFactory()
    if not isinstance(before, _Redacting):
        logging.setLogRecordFactory(_Redacting(before))


class _Redacting:
    """A factory of log records that show no key, neither in the message nor in the traceback."""

    def __init__(self, factory: Callable[..., logging.LogRecord]) -> None:
        self._factory = factory

    def __call__(self, *arguments: Any, **options: Any) -> logging.LogRecord:
        record = self._factory(*arguments, **options)
        try:
            message = record.getMessage()
        except Exception:  # Python would print the raw arguments
            record.msg, record.args = f"{record.msg} {record.args}", ()
            message = record.msg
        shown = redact(message)
        if shown != message:
            record.msg, record.args = shown, ()
        _redact_traceback(record)
        return record


def _redact_traceback(record: logging.LogRecord) -> None:
    """Format the traceback now and redact it. Formatters print `exc_text` if it is set, instead of formatting again."""
    if record.exc_info and not record.exc_text:
        record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
    if record.stack_info:
        record.stack_info = redact(record.stack_info)


def _is_warning(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
