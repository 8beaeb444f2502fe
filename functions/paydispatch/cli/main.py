"""The `paydispatch` command: one file per subcommand, each loaded only to describe itself."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from paydispatch.cli import (
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
from paydispatch.domain.errors import PaydispatchError
from paydispatch.settings import MissingSetting

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; return its exit code. A mistake of the user's is one line on stderr and exit code 2."""
    parsed = _parser().parse_args(arguments)
    try:
        code: int = parsed.run(parsed)
    except (PaydispatchError, MissingSetting) as error:
        print(f"paydispatch: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="paydispatch", description="Call Stripe without waiting for it."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in (demo, local, submit, status, worker, doctor, reconcile, dlq, new_flow, twin):
        command.add_parser(commands)
    return parser
