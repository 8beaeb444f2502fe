"""`paydispatch env`: prints the outputs of a deployed stack as the environment of a program or of a command."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from paydispatch.cli.stacks import stack_outputs
from paydispatch.cli.terminal import complain, say, say_json

if TYPE_CHECKING:
    import argparse

    from paydispatch.adapters.aws.stack_outputs import StackOutputs

EXAMPLES = """\
examples:
  eval "$(paydispatch env --stack paydispatch)"
  eval "$(paydispatch env --stack paydispatch --redis-url)"
  paydispatch env --stack paydispatch --json

exit codes:
  0    printed
  2    there is no such stack, AWS is unavailable, or the
       credentials may not read it"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "env",
        help="print the environment of a deployed stack",
        description="Print the variables that programs and commands need for a deployed stack, as lines for a shell.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--stack", required=True, metavar="NAME", help="name of the stack")
    parser.add_argument(
        "--redis-url",
        action="store_true",
        help="print REDIS_URL too, which holds the password of an operator",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0. Raises `BadSetting` if there is no such stack, and `Unavailable`."""
    show(stack_outputs(), arguments)
    return 0


def show(outputs: StackOutputs, arguments: argparse.Namespace) -> None:
    variables = outputs.variables(arguments.stack)
    if arguments.redis_url:
        variables["REDIS_URL"] = outputs.redis_url(arguments.stack)
    if arguments.json:
        say_json(variables)
        return
    for name, value in sorted(variables.items()):
        say(f"export {name}={shlex.quote(value)}")
    if not arguments.redis_url:
        complain("paydispatch: REDIS_URL is left out. Commands of an operator need --redis-url.")
