"""The event log of the Lambdas, written by Powertools: JSON lines, and embedded metrics for alarms."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.keyless_logs import redact_records
from paydispatch.adapters.log_settings import LogSettings
from paydispatch.adapters.wide_lines import WideLines, keyless_line

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.metrics import Metrics


FLOWS_LOGGER = "paydispatch.flows"


def json_logger(service: str) -> Logger:
    """Return a logger for `service`. It also writes the lines of the flows' logger. No line holds a key."""
    from aws_lambda_powertools import Logger

    redact_records()
    # No location, because the event's name says where the line comes from.
    logger = Logger(service=service, location=None, json_serializer=keyless_line)
    flows = logging.getLogger(FLOWS_LOGGER)
    flows.handlers, flows.propagate = logger.handlers, False
    flows.setLevel(logger.log_level)
    return logger


class PowertoolsEventLog:
    """`EventLog` on a Powertools logger. Without `metrics`, a count is a line too.

    Before each line it restores the settings of both loggers, because a flow may have muted them.
    """

    def __init__(self, logger: Logger, metrics: Metrics | None = None) -> None:
        self._logger = logger
        self._lines = WideLines(logger)
        self._metrics = metrics
        self._counted = False
        self._settings = LogSettings(logger.name, FLOWS_LOGGER)

    def info(self, event: str, **fields: Any) -> None:
        self._settings.restore()
        self._lines.info(event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._settings.restore()
        self._logger.warning(event, exc_info=sys.exc_info()[0] is not None, **_known(fields))

    def count(self, metric: str, amount: int = 1) -> None:
        if self._metrics is None:
            self.info("metric", metric=metric, amount=amount)
        else:
            self._metrics.add_metric(name=metric, unit="Count", value=amount)
            self._counted = True

    def flush(self) -> None:
        """Print the metrics that were counted, if any. Call it at the end of an invocation."""
        if self._metrics is not None and self._counted:
            self._metrics.flush_metrics()
            self._counted = False


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
