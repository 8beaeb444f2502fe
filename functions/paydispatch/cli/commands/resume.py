"""`paydispatch resume`: ends a pause, and says which pauses are left."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from paydispatch.cli.limit_arguments import add_paused, check_paused, named_account
from paydispatch.cli.terminal import complain, say, say_json
from paydispatch.domain.operators.holds import ALL_ACCOUNTS, HoldKind
from paydispatch.services.limits import end_pause, look_at_limits

if TYPE_CHECKING:
    from paydispatch.domain.operators.holds import Hold

EXAMPLES = """\
examples:
  paydispatch resume --account acct_1
  paydispatch resume --lane batch
  paydispatch resume --all

`--account` without `--lane` ends all pauses of the account. `--all` ends all pauses that
are not of one account.

exit codes:
  0    a pause has ended; calls go again within a second, deferred ones within a minute
  1    no such pause was there
  2    invalid arguments, a missing variable, or an unavailable Redis"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "resume",
        help="end a pause",
        description="End a pause that `paydispatch pause` made, and print the pauses that are left.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_paused(parser)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if a pause has ended, otherwise 1."""
    check_paused(arguments)
    account, ended, left = asyncio.run(_resume(arguments))
    what = f"{account or ALL_ACCOUNTS}, {arguments.lane or 'all lanes'}"
    if arguments.json:
        still = [{"subject": hold.subject, "detail": hold.detail} for hold in left]
        say_json({"account": account, "resumed": ended, "still_paused": still})
    elif ended:
        say(f"Resumed: {what}.")
    else:
        complain(f"There was no pause of {what}.")
    if not arguments.json:
        for hold in left:
            say(f"Still paused: {hold.subject}, {hold.detail}. {hold.next_step}")
    return 0 if ended else 1


async def _resume(arguments: argparse.Namespace) -> tuple[str | None, bool, list[Hold]]:
    """End the pause. Return the account, whether there was a pause, and the pauses that are left."""
    from paydispatch.compose.limit_board import limit_board

    async with limit_board() as board:
        account = await named_account(board, arguments)
        ended = await end_pause(board, account, arguments.lane)
        overview = await look_at_limits(board)
        return account, ended, [hold for hold in overview.holds if hold.kind is HoldKind.PAUSED]
