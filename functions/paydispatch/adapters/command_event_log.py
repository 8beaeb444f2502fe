"""The event log of a command: its report is what it prints, so only faults are shown beside it (on stderr)."""

from __future__ import annotations

import logging
import sys
from typing import Any

from paydispatch.domain.redaction import redact_json

_log = logging.getLogger("paydispatch.operations")


class CommandEventLog:
    """Through Python's logging: set its level to INFO to see every line."""

    def info(self, event: str, **fields: Any) -> None:
        _log.info("%s %s", event, _known(fields))

    def warning(self, event: str, **fields: Any) -> None:
        in_except = sys.exc_info()[0] is not None
        level = logging.WARNING if in_except else logging.INFO
        _log.log(level, "%s %s", event, _known(fields), exc_info=in_except)

    def count(self, metric: str, amount: int = 1) -> None:
        _log.info("metric %s %s", metric, amount)


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: redact_json(value) for name, value in fields.items() if value is not None}
