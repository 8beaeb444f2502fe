"""`paydispatch pause`: stops the calls of an account, of a lane, or all calls, within a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.cli.extras import WORKER
from paydispatch.cli.limit_arguments import add_paused, paused_of
from paydispatch.cli.operate import add_stack, ask
from paydispatch.cli.terminal import say, say_json
from paydispatch.domain.operators.holds import ALL_ACCOUNTS

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  paydispatch pause --account acct_1
  paydispatch pause --account acct_1 --mode test --lane batch
  paydispatch pause --lane batch
  paydispatch pause --all --by alice
  paydispatch pause --all --stack paydispatch

exit codes:
  0    the pause holds within a second
  2    invalid arguments, a missing variable, or an unavailable Redis"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "pause",
        help="stop the calls of an account, of a lane, or all calls",
        description="Stop calls to Stripe. No request is lost: each is deferred by up to a minute, again and again, "
        "until `paydispatch resume` or its deadline. A call that has begun ends as usual.",
        epilog=EXAMPLES,
    )
    add_paused(parser)
    parser.add_argument(
        "--by",
        metavar="NAME",
        help="who pauses, for other operators (default: the user's name, with --stack the ARN in AWS)",
    )
    parser.add_argument("--json", action="store_true", help="print the pauses as JSON")
    add_stack(parser)
    parser.set_defaults(run=run, extra=WORKER)


def run(arguments: argparse.Namespace) -> int:
    paused = ask(arguments, "pause", by=arguments.by, **paused_of(arguments))
    if arguments.json:
        say_json(paused)
        return 0
    for pause in paused["pauses"]:
        lane = "all lanes" if pause["lane"] is None else f"lane {pause['lane']}"
        say(f"Paused: {paused['account'] or ALL_ACCOUNTS}, {lane}, by {pause['by']}.")
    return 0
