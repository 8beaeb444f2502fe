"""`paydispatch resume`: ends a pause, and says which pauses are left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.cli.extras import WORKER
from paydispatch.cli.limit_arguments import add_paused, paused_of
from paydispatch.cli.operate import add_stack, ask
from paydispatch.cli.terminal import complain, say, say_json
from paydispatch.domain.operators.holds import ALL_ACCOUNTS

if TYPE_CHECKING:
    import argparse

EXAMPLES = """\
examples:
  paydispatch resume --account acct_1
  paydispatch resume --lane batch
  paydispatch resume --all

`--account` without `--lane` ends all pauses of the account. `--all` ends all pauses that are not of one account.

exit codes:
  0    a pause has ended: calls go again within a second, and
       deferred ones within a minute
  1    no such pause was there
  2    invalid arguments, a missing variable, or an unavailable Redis"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "resume",
        help="end a pause",
        description="End a pause that `paydispatch pause` made, and print the pauses that are left.",
        epilog=EXAMPLES,
    )
    add_paused(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_stack(parser)
    parser.set_defaults(run=run, extra=WORKER)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if a pause has ended, otherwise 1."""
    resumed = ask(arguments, "resume", **paused_of(arguments))
    ended = resumed["resumed"]
    what = f"{resumed['account'] or ALL_ACCOUNTS}, {arguments.lane or 'all lanes'}"
    if arguments.json:
        say_json(resumed)
    elif ended:
        say(f"Resumed: {what}.")
    else:
        complain(f"There was no pause of {what}.")
    if not arguments.json:
        for hold in resumed["still_paused"]:
            say(f"Still paused: {hold['subject']}, {hold['detail']}. {hold['next_step']}")
    return 0 if ended else 1
