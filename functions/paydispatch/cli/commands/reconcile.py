"""`paydispatch reconcile`: runs one reconciliation, and prints the requests that stay unknown, with the reason."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from paydispatch.cli.event_log import add_verbose, show_event_log
from paydispatch.cli.extras import WORKER
from paydispatch.cli.operate import add_stack, ask, raise_if_stopped
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import complain, say, say_json

if TYPE_CHECKING:
    import argparse

    from paydispatch.services.operate.ports import Document

COLUMNS = ("request", "operation", "worker", "now", "why")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "reconcile",
        help="settle requests with an unknown outcome",
        description="Read the objects of requests with an unknown outcome at Stripe, and publish each outcome that "
        "they prove. It can run at any time, also during the scheduled reconciliation.",
        epilog="""\
examples:
  paydispatch reconcile
  paydispatch reconcile --worker-id payment-worker-1 --json
  paydispatch reconcile --same-account pdr_01m82qt6xzezdwnvs8qmdew3r2

exit codes:
  0    no outcome is unknown any more
  1    an outcome stays unknown, or there is no such request""",
    )
    parser.add_argument(
        "--worker-id",
        action="append",
        metavar="W",
        help='only this worker (default: all); may be repeated; write "TENANT W" for a worker of another tenant '
        "than QUEUE_TENANT",
    )
    parser.add_argument(
        "--same-account",
        metavar="REQUEST_ID",
        help="settle only this request, and assume that its key belongs to the account to which the request was "
        "sent; for a key that may not request its account from Stripe",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    add_stack(parser)
    add_verbose(parser)
    parser.set_defaults(run=run, extra=WORKER)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if no outcome stays unknown, otherwise 1. Return 1 also if `--same-account` names no unknown outcome."""
    named = arguments.same_account
    with show_event_log(verbose=arguments.verbose):
        report = ask(arguments, "reconcile", worker_ids=arguments.worker_id, same_account=named)
    if named and not report["requests"]:
        complain(f"The request {named} has no unknown outcome.")
        return 1
    _show(report, as_json=arguments.json)
    raise_if_stopped(report)
    return 1 if report["left"] or report["counts"]["unknown"] else 0


def _show(report: Document, *, as_json: bool) -> None:
    requests, left = report["requests"], report["left"]
    if as_json:
        say_json({"counts": report["counts"], "left": left, "requests": requests})
        return
    if requests:
        ordered = sorted(requests, key=lambda one: (one["verdict"], one["request_id"]))
        show_table(COLUMNS, map(_row, ordered))
    counted = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in report["counts"].items()
    )
    say(f"{counted}." + (f" {left} not searched for yet." if left else ""))


def _row(one: Document) -> list[str]:
    return [
        one["request_id"],
        one["operation"] or one["object"] or "?",
        one["worker_id"],
        one["verdict"],
        _why(one),
    ]


def _why(one: Document) -> str:
    until = one["until"]
    decided = datetime.fromtimestamp(until, UTC).isoformat("T", "minutes") if until else ""
    return f"{one['why'] or ''}{f' Decided by {decided}.' if decided else ''}"
