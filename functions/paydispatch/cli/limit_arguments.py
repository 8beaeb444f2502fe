"""The arguments that `limits`, `pause` and `resume` share: accounts, lanes, operations and limits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

from paydispatch.domain.rates.lanes import RateLane
from paydispatch.services.limits import MODES
from paydispatch.services.operate import words
from paydispatch.services.operate.accounts import check_paused

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


def as_type(check: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return a `type` of argparse that shows the sentence of `check`."""

    def parse(text: str) -> Value:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


account = as_type(words.account)
operation = as_type(words.operation)
limit = as_type(words.limit)
key_digits = as_type(words.key_digits)


def add_account(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--account",
        type=account,
        metavar="ACCT",
        required=required,
        help="an account, such as acct_1, or a name that `limits show` prints",
    )
    add_mode(parser)


def add_mode(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="the mode of the account, because Stripe counts each apart (default: the one in which it has made calls)",
    )


def add_paused(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a pause: account, lane or all."""
    add_account(parser, required=False)
    parser.add_argument(
        "--lane",
        type=RateLane,
        choices=list(RateLane),
        metavar="LANE",
        help="only this lane: interactive, batch, or look (the reads of reconcile)",
    )
    parser.add_argument("--all", action="store_true", help="all lanes of all accounts")


def paused_of(arguments: argparse.Namespace) -> dict[str, str | bool | None]:
    """Return what `pause` and `resume` name. Raises `PaydispatchError` unless they name an account, a lane or all."""
    check_paused(
        account=arguments.account,
        lane=arguments.lane,
        mode=arguments.mode,
        everything=arguments.all,
    )
    lane = None if arguments.lane is None else arguments.lane.value
    return {
        "account": arguments.account,
        "mode": arguments.mode,
        "lane": lane,
        "all": arguments.all,
    }
