"""`paydispatch limits show|set|reset|close-breaker`: the rate limits of accounts, and what they learned from Stripe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.cli.extras import WORKER
from paydispatch.cli.limit_arguments import account as account_type
from paydispatch.cli.limit_arguments import add_account, add_mode, key_digits, limit, operation
from paydispatch.cli.limits_report import show_account, show_overview
from paydispatch.cli.operate import add_stack, ask
from paydispatch.cli.terminal import complain, say, say_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from paydispatch.services.operate.ports import Document

EXIT_CODES = """
exit codes:
  0    done
  1    close-breaker: no such breaker is open
  2    invalid arguments, a missing variable, or an unavailable Redis"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "limits",
        help="show and set the rate limits of accounts",
        description="Stripe limits the calls per second of an account, and of each operation of it. The limits of "
        "accounts without limits of their own are STRIPE_LIMIT_LIVE, STRIPE_LIMIT_SANDBOX and STRIPE_LIMIT_OPERATION.",
        epilog="""\
examples:
  paydispatch limits show
  paydispatch limits set --account acct_1 5""",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_show(actions)
    _add_set(actions)
    _add_reset(actions)
    _add_close_breaker(actions)


def _add(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    run: Callable[[argparse.Namespace], int],
    name: str,
    description: str,
    examples: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(
        name,
        help=description[0].lower() + description[1:].partition(".")[0],
        description=description,
        epilog=f"examples:\n{examples}\n{EXIT_CODES}",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_stack(parser)
    parser.set_defaults(run=run, extra=WORKER)
    return parser


def _add_show(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(
        actions,
        run_show,
        "show",
        "Show the limits as they stand now, the pauses and the open breakers.",
        "  paydispatch limits show\n  paydispatch limits show --account acct_1 --mode live",
    )
    add_account(parser, required=False)


def _add_set(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(
        actions,
        run_set,
        "set",
        "Set a limit of one account. It holds within a second, also after a new deployment.",
        "  paydispatch limits set --account acct_1 --mode live 500\n"
        "  paydispatch limits set --account acct_1 --operation create_payment_intent 100\n"
        "  paydispatch limits set --account acct_1 --operation create_product off",
    )
    add_account(parser, required=True)
    parser.add_argument(
        "--operation",
        type=operation,
        metavar="OP",
        help="the limit of one operation (default: of all calls of the account)",
    )
    parser.add_argument("limit", type=limit, metavar="N|off", help="calls per second, or no limit")


def _add_reset(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(
        actions,
        run_reset,
        "reset",
        "Give an account the default limits again, and forget what its limits learned from 429s.",
        "  paydispatch limits reset --account acct_1",
    )
    add_account(parser, required=True)


def _add_close_breaker(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = _add(
        actions,
        run_close_breaker,
        "close-breaker",
        "Close the breaker of an account or of a key, so that its calls go at once.",
        "  paydispatch limits close-breaker --account acct_1\n"
        "  paydispatch limits close-breaker --key 3f9c2a7be014",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--account", type=account_type, metavar="ACCT", help="an account")
    which.add_argument(
        "--key",
        type=key_digits,
        metavar="HASH",
        help="the first 8 or more digits of a key's hash, as `limits show` prints them; never the key itself",
    )
    add_mode(parser)


def run_show(arguments: argparse.Namespace) -> int:
    overview = ask(arguments, "limits show", account=arguments.account, mode=arguments.mode)
    show_overview(overview, as_json=arguments.json)
    return 0


def run_set(arguments: argparse.Namespace) -> int:
    return _show_changed(
        ask(
            arguments,
            "limits set",
            account=arguments.account,
            mode=arguments.mode,
            operation=arguments.operation,
            limit=arguments.limit,
        ),
        arguments,
    )


def run_reset(arguments: argparse.Namespace) -> int:
    view = ask(arguments, "limits reset", account=arguments.account, mode=arguments.mode)
    return _show_changed(view, arguments)


def run_close_breaker(arguments: argparse.Namespace) -> int:
    """Return 0 if a breaker was open, otherwise 1."""
    closed = ask(
        arguments,
        "limits close-breaker",
        account=arguments.account,
        mode=arguments.mode,
        key=arguments.key,
    )["closed"]
    named = arguments.account or f"a key {arguments.key}…"
    if arguments.json:
        say_json({"closed": closed})
    elif closed is None:
        complain(f"No breaker of {named} is open.")
    else:
        say(f"Closed the breaker of {closed}.")
    return 0 if closed else 1


def _show_changed(view: Document, arguments: argparse.Namespace) -> int:
    if arguments.json:
        say_json(view)
    else:
        show_account(view)
    return 0
