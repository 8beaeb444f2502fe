"""The event log of a command. The command prints its report, so by default the log shows only faults, on stderr."""

from __future__ import annotations

import logging
import sys
from typing import Any

from paydispatch.domain.text.redaction import redact_json

_log = logging.getLogger("paydispatch.operations")


class CommandEventLog:
    """`EventLog` on Python's logging. At level INFO it shows every line."""

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
