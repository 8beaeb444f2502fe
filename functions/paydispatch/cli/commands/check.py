"""`paydispatch check`: checks the flows of a project before one of them has to run."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import flows_folder
from paydispatch.cli.terminal import say, say_json
from paydispatch.domain.stripe.operations import operation_named

if TYPE_CHECKING:
    import argparse

    from paydispatch.services.check_flows import FlowCheck

IMPORT_TIMEOUT_S = 30.0


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check",
        help="check the flows of a project",
        description="Import each flow as a worker does, and print its faults: a failing import, a `run` that cannot "
        "take its two arguments, a misnamed file, an operation without a script. The operations are those of the "
        "flows, and of the Python files beside their folder.",
        epilog="""\
examples:
  paydispatch check
  paydispatch check --flows flows --json
  paydispatch check --code src --operation create_refund

exit codes:
  0    no fault
  1    a fault was found""",
    )
    parser.add_argument(
        "--flows",
        type=Path,
        metavar="DIR",
        help="folder of the flow scripts (default: FLOWS_DIR, or ./flows)",
    )
    parser.add_argument(
        "--code",
        type=Path,
        metavar="DIR",
        help="folder of the programs that dispatch (default: the folder of the flows folder)",
    )
    parser.add_argument(
        "--operation",
        action="append",
        default=[],
        metavar="O",
        help="an operation that the programs dispatch in a way that their code does not show; may be repeated",
    )
    parser.add_argument("--json", action="store_true", help="print the faults as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 1 if a fault was found, otherwise 0. Raises `PaydispatchError` for an unknown folder or operation."""
    from paydispatch.adapters.flow_scripts import FlowFolder
    from paydispatch.services.check_flows import check_flows

    folder = flows_folder(arguments.flows)
    used = _operations_in(arguments.code or folder.parent)
    used |= {operation_named(name).name: "--operation" for name in arguments.operation}
    scripts = FlowFolder(folder, import_timeout_s=IMPORT_TIMEOUT_S)
    check = asyncio.run(check_flows(scripts, used))
    _show(check, used, as_json=arguments.json)
    return 1 if check.faults else 0


def _operations_in(root: Path) -> dict[str, str]:
    """Return the operations that the code dispatches, each with the place of its first call."""
    from paydispatch.adapters.project_code import python_files
    from paydispatch.domain.flow_checks.operations_in_use import operations_in

    found: dict[str, str] = {}
    for path, text in python_files(root):
        for operation, line in operations_in(text).items():
            found.setdefault(operation, f"{path}:{line}")
    return found


def _show(check: FlowCheck, used: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        faults = [asdict(fault) for fault in check.faults]
        say_json({"scripts": list(check.scripts), "operations": used, "faults": faults})
        return
    for fault in check.faults:
        say(f"{fault.subject}: {fault.fault}")
        say(f"  next: {fault.next_step}")
    scripts = f"{len(check.scripts)} flows, {len(used)} operations in use"
    say(f"{scripts}: {len(check.faults) or 'no'} fault{'' if len(check.faults) == 1 else 's'}")
