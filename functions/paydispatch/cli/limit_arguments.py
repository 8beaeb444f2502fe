"""The arguments that `limits`, `pause` and `resume` share: accounts, lanes, operations and limits."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from paydispatch.domain.errors import PaydispatchError, UnknownOperation
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.stripe.operations import operation_named
from paydispatch.services.limits import MODES, find_account

if TYPE_CHECKING:
    from paydispatch.ports import LimitBoard

HIGHEST_LIMIT = 999_999

_ACCOUNT = re.compile(r"(?:(?:live|test|org) )?[A-Za-z0-9_-]{1,128}")
_READ = re.compile(r"(?:list|retrieve)_[a-z0-9_]{1,100}")


def account(text: str) -> str:
    """Return the id of an account, or its name with the mode."""
    if not _ACCOUNT.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an account such as acct_1, or 'live acct_1' as `limits show` prints it"
        )
    return text


def operation(text: str) -> str:
    """Return the name of an operation, or of a read such as list_product."""
    if _READ.fullmatch(text):
        return text
    try:
        return operation_named(text).name
    except UnknownOperation as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def limit(text: str) -> int | None:
    """Return whole calls per second, or None for `off`."""
    if text == "off":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= HIGHEST_LIMIT:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not whole calls per second from 1 to {HIGHEST_LIMIT}, or off"
        )
    return int(text)


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


def check_paused(arguments: argparse.Namespace) -> None:
    """Raise `PaydispatchError` unless the arguments name an account, a lane or all."""
    if arguments.all and (arguments.account or arguments.lane):
        raise PaydispatchError("--all stands alone, without --account and --lane.")
    if not (arguments.all or arguments.account or arguments.lane):
        raise PaydispatchError("Name what is meant: --account ACCT, --lane LANE, or --all.")
    if arguments.mode and not arguments.account:
        raise PaydispatchError("--mode needs --account.")


async def named_account(board: LimitBoard, arguments: argparse.Namespace) -> str | None:
    """Return the account of the arguments with its mode, or None if they name none."""
    if arguments.account is None:
        return None
    return await find_account(board, arguments.account, arguments.mode)
