"""Keep keys out of the logs, whatever a library prints in a debug mode and whoever sets its level.

botocore          prints every answer at DEBUG: those of KMS and Secrets Manager hold keys
everything else   may quote what it was given, so that each line is redacted
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from paydispatch.domain.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

_PRINT_BODIES = ("botocore.parsers", "botocore.endpoint")


def drop_bodies_of_aws() -> None:
    """A filter and not a level, because `boto3.set_stream_logger` would set the level back."""
    for name in _PRINT_BODIES:
        logging.getLogger(name).addFilter(_tells_of_trouble)


def redact_records() -> None:
    """Redact what any library logs in this process. For programs that are ours as a whole."""
    before = logging.getLogRecordFactory()
    if not isinstance(before, _Redacting):
        logging.setLogRecordFactory(_Redacting(before))


class _Redacting:
    """A factory of log records whose message and exception hold no key."""

    def __init__(self, factory: Callable[..., logging.LogRecord]) -> None:
        self._factory = factory

    def __call__(self, *arguments: Any, **options: Any) -> logging.LogRecord:
        record = self._factory(*arguments, **options)
        try:
            message = record.getMessage()
        except Exception:  # Python would print the arguments as they are
            record.msg, record.args = f"{record.msg} {record.args}", ()
            message = record.msg
        shown = redact(message)
        if shown != message:
            record.msg, record.args = shown, ()
        return record


def _tells_of_trouble(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
