"""The `paydispatch` command. Each subcommand has a file, which imports its libraries only when it runs."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from paydispatch.cli.commands import (
    console,
    cost,
    demo,
    dlq,
    doctor,
    env,
    forget,
    limits,
    local,
    new_flow,
    pause,
    reconcile,
    resume,
    status,
    submit,
    twin,
    verify_events,
    worker,
)
from paydispatch.cli.errors import one_line
from paydispatch.cli.terminal import complain, show_traceback

if TYPE_CHECKING:
    from collections.abc import Sequence

CANNOT = 2
CTRL_C = 130
EXIT_CODES = """\
exit codes:
  0    success (local, twin, worker: stopped by Ctrl-C or SIGTERM)
  1    submit: a line was refused
       status, dlq show, reconcile --same-account: not found
       doctor: a request still waits, calls are paused, a breaker is
       open, or Redis may evict keys
       resume: there was no such pause
       limits close-breaker: no such breaker is open
       reconcile: an outcome stays unknown
       dlq list, dlq redrive: the work on a message failed
       forget: unfinished work is left
       verify-events: the event does not carry the call's key
       local, demo: a part failed, or a flow did not run
  2    invalid arguments, a missing variable, or an unavailable service;
       one line on stderr says which
  130  stopped by Ctrl-C"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code (`EXIT_CODES`).

    Print one line on stderr for an error that the user can fix and for an unavailable service.
    """
    sys.excepthook = show_traceback
    parsed = _parser().parse_args(arguments)
    _copy_region()
    try:
        code: int = parsed.run(parsed)
    except KeyboardInterrupt:
        return CTRL_C
    except BrokenPipeError:
        return 1
    except Exception as error:
        line = one_line(error)
        if line is None:
            raise
        complain(f"paydispatch: {line}")
        return CANNOT
    return code


def _copy_region() -> None:
    """Copy AWS_REGION to AWS_DEFAULT_REGION, because boto3 reads only the second."""
    region = os.environ.get("AWS_REGION")
    if region:
        os.environ.setdefault("AWS_DEFAULT_REGION", region)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="paydispatch",
        description="Call Stripe without waiting for its answer.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (
        *(demo, local, submit, status, worker),
        *(console, doctor, limits, pause, resume, reconcile, dlq, forget, verify_events, env, cost),
        *(new_flow, twin),
    ):
        command.add_parser(commands)
    return parser
