"""`paydispatch pause`: stops the calls of an account, of a lane, or all calls, within a second."""

from __future__ import annotations

import argparse
import asyncio
import getpass
from typing import TYPE_CHECKING

from paydispatch.cli.limit_arguments import add_paused, check_paused, named_account
from paydispatch.cli.terminal import say, say_json
from paydispatch.domain.operators.holds import ALL_ACCOUNTS, lane_of
from paydispatch.services.limits import pauses_of

if TYPE_CHECKING:
    from paydispatch.domain.rates.views import Pause

EXAMPLES = """\
examples:
  paydispatch pause --account acct_1
  paydispatch pause --account acct_1 --mode test --lane batch
  paydispatch pause --lane batch
  paydispatch pause --all --by alice

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
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_paused(parser)
    parser.add_argument(
        "--by", metavar="NAME", help="who pauses, for other operators (default: the user's name)"
    )
    parser.add_argument("--json", action="store_true", help="print the pauses as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    check_paused(arguments)
    account, pauses = asyncio.run(_pause(arguments))
    if arguments.json:
        say_json({"account": account, "pauses": [as_json(pause) for pause in pauses]})
        return 0
    for pause in pauses:
        say(f"Paused: {account or ALL_ACCOUNTS}, {lane_of(pause)}, by {pause.by}.")
    return 0


async def _pause(arguments: argparse.Namespace) -> tuple[str | None, list[Pause]]:
    """Pause, and return the account with its pauses for the named lane, or for all lanes."""
    from paydispatch.compose.limit_board import limit_board

    async with limit_board() as board:
        account = await named_account(board, arguments)
        await board.pause(account, arguments.lane, by=arguments.by or _user())
        pauses = await pauses_of(board, account)
        return account, [pause for pause in pauses if pause.lane is arguments.lane]


def as_json(pause: Pause) -> dict[str, object]:
    lane = None if pause.lane is None else pause.lane.value
    return {"lane": lane, "since_s": pause.since_s, "by": pause.by}


def _user() -> str:
    """Return the name of the user, or "unknown" in a container without users."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
