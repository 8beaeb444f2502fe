"""The `paydispatch` command. Each subcommand has a file, which imports its libraries only when it runs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from paydispatch.cli.commands import (
    check,
    completion,
    console,
    cost,
    demo,
    dlq,
    doctor,
    env,
    flows,
    forget,
    init,
    limits,
    local,
    new_flow,
    pause,
    reconcile,
    requests,
    resume,
    run_flow,
    status,
    submit,
    twin,
    verify_events,
    worker,
)
from paydispatch.cli.errors import one_line
from paydispatch.cli.extras import WORKER, missing_library, name_extra
from paydispatch.cli.parser import Parser, Version
from paydispatch.cli.terminal import complain, show_traceback

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from types import ModuleType

COMMANDS: tuple[ModuleType, ...] = (
    *(init, demo, local, submit, status, requests, worker),
    *(
        console,
        doctor,
        limits,
        pause,
        resume,
        reconcile,
        dlq,
        flows,
        forget,
        verify_events,
        env,
        cost,
    ),
    *(check, run_flow, new_flow, twin, completion),
)
"""The commands in the order of the help. Each module has `add_parser(commands)`, which sets `run`.

It also sets `extra` if it cannot begin without the libraries of `LOCAL` or of `WORKER`.
"""

CANNOT = 2
CTRL_C = 130
START = """\
Try it:
  paydispatch demo                 example requests through a local stack
  paydispatch init shop            a project with two flows and a test
  paydispatch COMMAND --help       options and examples of a command"""
EXIT_CODES = """\
exit codes:
  0    success (local, twin, worker: stopped by Ctrl-C or SIGTERM)
  1    submit: a line was refused
       status, dlq show, flows dead show, reconcile --same-account:
       not found
       doctor: a request still waits, calls are paused, a breaker is
       open, or Redis may evict keys
       resume: there was no such pause
       limits close-breaker: no such breaker is open
       reconcile: an outcome stays unknown
       dlq list, dlq redrive: the work on a message failed
       flows dead rerun: a chosen flow stays dead
       forget: unfinished work is left
       verify-events: the event does not carry the call's key
       local, demo: a part failed, or a flow did not run
       check: a fault was found
       run-flow: the flow raised
       init: a file of the project stands in the way
  2    invalid arguments, a missing variable, or an unavailable service;
       one line on stderr says which
  130  stopped by Ctrl-C"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code (`EXIT_CODES`).

    Print one line on stderr for an error that the user can fix and for an unavailable service.
    """
    sys.excepthook = show_traceback
    parser = make_parser()
    _complete(parser)
    parsed = parser.parse_args(_readable(sys.argv[1:] if arguments is None else arguments, parser))
    _copy_region()
    try:
        code = _run(parsed)
    except KeyboardInterrupt:
        return CTRL_C
    except BrokenPipeError:
        return _leave_broken_pipe()
    return code


def make_parser() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="paydispatch",
        description="Call Stripe without waiting for its answer.",
        epilog=f"{START}\n\n{EXIT_CODES}",
    )
    parser.add_argument("--version", action=Version, help="print the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def _run(parsed: argparse.Namespace) -> int:
    """Run a command and return its exit code. Raises each exception that is no mistake of the user."""
    extra: str | None = getattr(parsed, "extra", None)
    if extra and (library := missing_library(extra)):
        return _refuse(name_extra(library, extra))
    try:
        code: int = parsed.run(parsed)
    except BrokenPipeError:
        raise
    except Exception as error:
        line = one_line(error, extra or WORKER)
        if line is None:
            raise
        return _refuse(line)
    return code


def _refuse(line: str) -> int:
    complain(f"paydispatch: {line}")
    return CANNOT


def _readable(arguments: Sequence[str], parser: Parser) -> Sequence[str]:
    """Return the arguments, or exit if one is not UTF-8, because no message and no key could hold it."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            parser.error(f"the argument {argument!r} is not UTF-8")
    return arguments


def _complete(parser: Parser) -> None:
    """Print the completions of a command line and exit, if a shell asks for them."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)


def _leave_broken_pipe() -> int:
    """Return 1 after the reader of our output has gone, and let Python flush nothing into the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _copy_region() -> None:
    """Copy AWS_REGION to AWS_DEFAULT_REGION, because boto3 reads only the second."""
    region = os.environ.get("AWS_REGION")
    if region:
        os.environ.setdefault("AWS_DEFAULT_REGION", region)
