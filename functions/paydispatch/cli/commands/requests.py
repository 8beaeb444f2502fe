"""`paydispatch requests [TEXT]`: lists the newest requests, or those with a text in one of their names."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import count, format_age
from paydispatch.cli.extras import WORKER
from paydispatch.cli.operate import add_stack, ask
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import say, say_json
from paydispatch.domain.operators.recent import page_of_document
from paydispatch.services.recent import search

if TYPE_CHECKING:
    import argparse

LIMIT = 20
HEADERS = ("request", "status", "operation", "context", "age", "Stripe's id", "why")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "requests",
        help="list the newest requests, or search them",
        description="List the newest requests: the open ones and the newest outcomes of each worker. With TEXT, only "
        "those that have it in their id, worker, context, operation, status, account, Stripe's id or error.",
        epilog="""\
examples:
  paydispatch requests
  paydispatch requests order-1001
  paydispatch requests failed --limit 100 --json
  paydispatch requests --stack paydispatch""",
    )
    parser.add_argument("text", metavar="TEXT", nargs="?", default="", help="text to search for")
    parser.add_argument(
        "--limit",
        type=count,
        default=LIMIT,
        metavar="N",
        help=f"print N requests at most (default: {LIMIT})",
    )
    parser.add_argument("--json", action="store_true", help="print all fields as JSON")
    add_stack(parser)
    parser.set_defaults(run=run, extra=WORKER)


def run(arguments: argparse.Namespace) -> int:
    page = page_of_document(ask(arguments, "requests"))
    found = search([*page.open, *page.outcomes], arguments.text, at_most=arguments.limit)
    if arguments.json:
        say_json({"requests": found})
    elif found:
        show_table(HEADERS, [_row(one, time.time()) for one in found])
    else:
        say("There is no such request among the newest.")
    return 0


def _row(one: dict[str, Any], now_s: float) -> list[str]:
    return [
        one["request_id"],
        one["status"],
        one["operation"],
        one["context_id"],
        format_age(now_s - one["at"]),
        one["stripe_id"] or "",
        one["why"] or "",
    ]
