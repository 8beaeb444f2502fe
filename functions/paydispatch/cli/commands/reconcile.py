"""`paydispatch reconcile`: runs one reconciliation, and prints the requests that stay unknown, with the reason."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from paydispatch.cli.event_log import add_verbose, show_event_log
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import complain, say, say_json
from paydispatch.settings import ReconcilerSettings

if TYPE_CHECKING:
    import argparse

    from paydispatch.services.looks.verdicts import Reconciled, ReconcileReport

COLUMNS = ("request", "operation", "worker", "now", "why")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "reconcile",
        help="settle requests with an unknown outcome",
        description="Read the objects of requests with an unknown outcome at Stripe, and publish each outcome that "
        "they prove. It can run at any time, also during the scheduled reconciliation.",
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
    add_verbose(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if no outcome stays unknown, otherwise 1. Return 1 also if `--same-account` names no unknown outcome."""
    with show_event_log(verbose=arguments.verbose):
        report = asyncio.run(_reconcile(arguments))
    named = arguments.same_account
    if named and not report.reconciled:
        complain(f"The request {named} has no unknown outcome.")
        return 1
    _show(report, as_json=arguments.json)
    return 1 if report.left or report.counts["unknown"] else 0


async def _reconcile(arguments: argparse.Namespace) -> ReconcileReport:
    from paydispatch.adapters.command_event_log import CommandEventLog
    from paydispatch.compose.reconciler import Clients, connect
    from paydispatch.services.reconcile import Reconciler

    settings, log = ReconcilerSettings.from_env(), CommandEventLog()
    clients = Clients.connect(settings, log)
    try:
        service = Reconciler(connect(settings, log, clients))
        if arguments.same_account:
            return await service.reconcile_in_same_account(
                arguments.same_account, arguments.worker_id
            )
        return await service.reconcile(arguments.worker_id)
    finally:
        await clients.close()


def _show(report: ReconcileReport, *, as_json: bool) -> None:
    if as_json:
        shown = [asdict(one) for one in report.reconciled]
        say_json({"counts": report.counts, "left": report.left, "requests": shown})
        return
    if report.reconciled:
        ordered = sorted(report.reconciled, key=lambda one: (one.verdict, one.request_id))
        show_table(COLUMNS, map(_row, ordered))
    counted = ", ".join(
        f"{count} {name.replace('_', ' ')}" for name, count in report.counts.items()
    )
    say(f"{counted}." + (f" {report.left} not searched for yet." if report.left else ""))


def _row(one: Reconciled) -> list[str]:
    return [
        one.request_id,
        one.operation or one.object or "?",
        one.worker_id,
        one.verdict.value,
        _why(one),
    ]


def _why(one: Reconciled) -> str:
    decided = datetime.fromtimestamp(one.until, UTC).isoformat("T", "minutes") if one.until else ""
    return f"{one.why or ''}{f' Decided by {decided}.' if decided else ''}"
