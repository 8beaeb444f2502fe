"""The `paydispatch` command: one file per subcommand, each loaded only to describe itself."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from paydispatch.cli.commands import (
    demo,
    dlq,
    doctor,
    local,
    new_flow,
    reconcile,
    status,
    submit,
    twin,
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
  0    done; also the orderly end of local, twin and worker
  1    submit: a line was refused; status, dlq show: not found; doctor, reconcile:
       something is left; local, demo: a part failed, or a flow did not run
  2    wrong arguments, a missing variable, or a service away: one line says which
  130  Ctrl-C"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return its exit code, as `EXIT_CODES` says.

    A mistake of the user's and a service that is away are one line on stderr.
    """
    sys.excepthook = show_traceback
    parsed = _parser().parse_args(arguments)
    _hand_on_the_region()
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


def _hand_on_the_region() -> None:
    """AWS' tools say AWS_REGION, its Lambdas both; boto3 reads the other alone."""
    region = os.environ.get("AWS_REGION")
    if region:
        os.environ.setdefault("AWS_DEFAULT_REGION", region)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="paydispatch",
        description="Call Stripe without waiting for it.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (demo, local, submit, status, worker, doctor, reconcile, dlq, new_flow, twin):
        command.add_parser(commands)
    return parser
