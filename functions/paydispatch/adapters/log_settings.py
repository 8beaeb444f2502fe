"""Restore the settings of loggers, because a flow that configures `logging` does so for the whole process.

`logging.config.dictConfig` disables every logger it does not name, and `logging.disable` mutes all of them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Settings:
    logger: logging.Logger
    handlers: list[logging.Handler]
    level: int
    propagate: bool

    def restore(self) -> None:
        self.logger.disabled = False
        self.logger.propagate = self.propagate
        if self.logger.handlers != self.handlers:
            self.logger.handlers = self.handlers.copy()
        if self.logger.level != self.level:
            self.logger.setLevel(self.level)


class LogSettings:
    """The settings that some loggers have when this object is made."""

    def __init__(self, *names: str) -> None:
        loggers = [logging.getLogger(name) for name in names]
        self._settings = [
            _Settings(each, each.handlers.copy(), each.level, each.propagate) for each in loggers
        ]
        self._disabled_below = logging.root.manager.disable

    def restore(self) -> None:
        for settings in self._settings:
            settings.restore()
        if logging.root.manager.disable != self._disabled_below:
            logging.disable(self._disabled_below)
