"""The option `--verbose`, which shows the event log of a command on stderr."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from paydispatch.adapters.keyless_logs import redact_records
from paydispatch.cli.terminal import PrintableFormatter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

_EVENT_LOG = "paydispatch.operations"


def add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--verbose", action="store_true", help="also print the event log, on stderr"
    )


@contextmanager
def show_event_log(*, verbose: bool) -> Iterator[None]:
    """Print the event log on stderr while the block runs: everything if `verbose`, otherwise warnings and errors."""
    redact_records()
    logger, handler = logging.getLogger(_EVENT_LOG), logging.StreamHandler()
    handler.setFormatter(PrintableFormatter())
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
