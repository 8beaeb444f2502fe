"""`--verbose`: what a command writes into its log, on stderr beside its report."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from paydispatch.cli.terminal import PrintableFormatter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_EVENT_LOG = "paydispatch.operations"


def add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--verbose", action="store_true", help="show the event log on stderr, line by line"
    )


@contextmanager
def log_shown(*, wanted: bool) -> Iterator[None]:
    """Without it only faults are shown."""
    logger, handler = logging.getLogger(_EVENT_LOG), logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if wanted else logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
