"""`paydispatch env`: prints the environment of a program or of a command for a stack on AWS or on this machine."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING

from paydispatch.cli.stacks import stack_outputs
from paydispatch.cli.terminal import complain, say, say_json
from paydispatch.domain.errors import BadSetting

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from paydispatch.adapters.aws.stack_outputs import StackOutputs
    from paydispatch.local.addresses import Addresses

EXAMPLES = """\
examples:
  eval "$(paydispatch env --stack paydispatch)"
  eval "$(paydispatch env --stack paydispatch --redis-url)"
  paydispatch env --stack paydispatch --json
  eval "$(paydispatch env --local stack.json)"

exit codes:
  0    printed
  2    there is no such stack, AWS is unavailable, or the
       credentials may not read it"""

STARTS_WITHIN_S = 60.0
"""The time that a local stack may take until it prints its addresses."""

_LOOK_EVERY_S = 0.1


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "env",
        help="print the environment of a stack",
        description="Print the variables that programs and commands need for a deployed stack, or for one on this "
        "machine, as lines for a shell.",
        epilog=EXAMPLES,
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--stack", metavar="NAME", help="name of a deployed stack")
    which.add_argument(
        "--local",
        type=Path,
        metavar="FILE",
        help="file with the output of `paydispatch local --json`. The command waits until the stack has started",
    )
    parser.add_argument(
        "--redis-url",
        action="store_true",
        help="print REDIS_URL too, which holds the password of an operator",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0. Raises `BadSetting` if there is no such stack, and `Unavailable`."""
    if arguments.local:
        show_variables(local_variables(arguments.local), as_json=arguments.json)
    else:
        show(stack_outputs(), arguments)
    return 0


def local_variables(file: Path, within_s: float = STARTS_WITHIN_S) -> Mapping[str, str]:
    """Return the variables of a local stack, once it has printed its addresses. Raises `BadSetting`."""
    until_s = time.monotonic() + within_s
    while (addresses := _read_addresses(file)) is None:
        if time.monotonic() > until_s:
            raise BadSetting(
                f"{file} does not have the line that `paydispatch local --json` prints."
            )
        time.sleep(_LOOK_EVERY_S)
    return addresses.variables()


def _read_addresses(file: Path) -> Addresses | None:
    """Return the addresses, or None if the stack has not printed them yet. Raises `BadSetting` for another file."""
    from paydispatch.local.addresses import Addresses

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{file} cannot be read: {error}") from None
    if "\n" not in text:
        return None
    addresses = Addresses.from_json(text)
    if addresses is None:
        raise BadSetting(f"{file} is not what `paydispatch local --json` printed.")
    return addresses


def show(outputs: StackOutputs, arguments: argparse.Namespace) -> None:
    variables = outputs.variables(arguments.stack)
    if arguments.redis_url:
        variables["REDIS_URL"] = outputs.redis_url(arguments.stack)
    show_variables(variables, as_json=arguments.json)
    if not (arguments.redis_url or arguments.json):
        complain("paydispatch: REDIS_URL is left out. Commands of an operator need --redis-url.")


def show_variables(variables: Mapping[str, str], *, as_json: bool) -> None:
    if as_json:
        say_json(variables)
        return
    for name, value in sorted(variables.items()):
        say(f"export {name}={shlex.quote(value)}")
