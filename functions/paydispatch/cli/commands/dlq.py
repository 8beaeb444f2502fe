"""`paydispatch dlq list|show|redrive`: shows the parked messages with their reasons, and sends them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import age_s, count, positive, rate
from paydispatch.cli.dlq_report import show_walk
from paydispatch.cli.event_log import add_verbose, show_event_log
from paydispatch.cli.extras import WORKER
from paydispatch.cli.operate import add_stack, ask, raise_if_stopped
from paydispatch.cli.terminal import complain, say_json

if TYPE_CHECKING:
    import argparse

    from paydispatch.services.operate.ports import Document

LIMIT = 1_000
KINDS = ("http", "api", "dispatcher")
FAILED = "failed"
"""The action of a message on which the work failed."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "dlq",
        help="list, show or redrive the messages in the dead-letter queue",
        epilog="""\
examples:
  paydispatch dlq list
  paydispatch dlq redrive --dry-run""",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_list(actions)
    _add_show(actions)
    _add_redrive(actions)


def _add_list(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "list",
        help="list the parked messages, and the action that a redrive would take",
        description="List the parked messages with their reasons, and the action that a redrive would take. "
        "This command changes nothing.",
        epilog="""\
examples:
  paydispatch dlq list
  paydispatch dlq list --object payment_intent --older-than 2h
  paydispatch dlq list --json --stack paydispatch""",
    )
    _add_choice(parser)
    parser.set_defaults(run=run_list, extra=WORKER)


def _add_show(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "show",
        help="print one parked message as JSON",
        description="Print one parked message with its reason and its request, as JSON. No key is in it.",
        epilog="""\
examples:
  paydispatch dlq show pdr_01m82qt6xzezdwnvs8qmdew3r2

exit codes:
  0    printed
  1    there is no such message""",
    )
    parser.add_argument("request_id", metavar="ID", help="id of the request or of the SQS message")
    parser.add_argument("--json", action="store_true", help="print JSON (the default)")
    add_stack(parser)
    parser.set_defaults(run=run_show, extra=WORKER)


def _add_redrive(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "redrive",
        help="send parked messages back to their queues",
        description="Send parked messages back to their queues, as the same requests under the same idempotency keys. "
        "A request that is too old to be sent again goes to reconcile. A message of a settled request stays.",
        epilog="""\
examples:
  paydispatch dlq redrive --dry-run
  paydispatch dlq redrive --reason timeout --rate 5/s
  paydispatch dlq redrive --worker-id payment-worker-1 --limit 10

exit codes:
  0    every message was dealt with
  1    the work on a message failed""",
    )
    _add_choice(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="print the actions without taking them"
    )
    parser.add_argument(
        "--rate", type=rate, metavar="N/s", help="messages per second at most (default: no limit)"
    )
    parser.add_argument(
        "--deadline-s",
        type=positive,
        default=6 * 3600.0,
        metavar="S",
        help="seconds until a request that is sent back is given up (default: 21600, six hours)",
    )
    parser.add_argument(
        "--purge-settled",
        action="store_true",
        help="delete the messages of settled requests (default: they stay)",
    )
    add_verbose(parser)
    parser.set_defaults(run=run_redrive, extra=WORKER)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--object", metavar="O", help="only messages of this object, such as payment_intent"
    )
    parser.add_argument("--worker-id", metavar="W", help="only messages of this worker")
    parser.add_argument("--account", metavar="ACCT", help="only messages of this connected account")
    parser.add_argument(
        "--reason", metavar="R", help="only messages with this reason, as printed by `list`"
    )
    parser.add_argument(
        "--kind", choices=KINDS, help="only messages parked with an error of this kind"
    )
    parser.add_argument(
        "--older-than",
        type=age_s,
        metavar="AGE",
        help="only messages older than this, such as 2h or 3d",
    )
    parser.add_argument(
        "--newer-than", type=age_s, metavar="AGE", help="only messages newer than this"
    )
    parser.add_argument(
        "--limit",
        type=count,
        default=LIMIT,
        metavar="N",
        help=f"stop after N messages (default: {LIMIT})",
    )
    parser.add_argument("--json", action="store_true", help="print the messages as JSON")
    add_stack(parser)


def run_list(arguments: argparse.Namespace) -> int:
    """Return 1 if the work on a message failed, otherwise 0."""
    with show_event_log(verbose=False):
        walk = ask(arguments, "dlq list", **_choice(arguments))
    return _show(walk, arguments)


def run_show(arguments: argparse.Namespace) -> int:
    """Return 1 if there is no such message, otherwise 0."""
    with show_event_log(verbose=False):
        found = ask(arguments, "dlq show", request_id=arguments.request_id)["message"]
    if found is None:
        complain(f"There is no parked message with the id {arguments.request_id}.")
        return 1
    say_json(found, indent=2)
    return 0


def run_redrive(arguments: argparse.Namespace) -> int:
    """Return 1 if the work on a message failed, otherwise 0."""
    with show_event_log(verbose=arguments.verbose):
        walk = ask(
            arguments,
            "dlq redrive",
            dry_run=arguments.dry_run,
            rate_per_s=arguments.rate,
            deadline_s=arguments.deadline_s,
            purge_settled=arguments.purge_settled,
            **_choice(arguments),
        )
    return _show(walk, arguments)


def _show(walk: Document, arguments: argparse.Namespace) -> int:
    """Print the messages, also if the walk stopped in the middle, because their actions were taken."""
    show_walk(walk, arguments.limit, as_json=arguments.json)
    raise_if_stopped(walk)
    return 1 if any(message["action"] == FAILED for message in walk["messages"]) else 0


def _choice(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "object": arguments.object,
        "worker_id": arguments.worker_id,
        "account": arguments.account,
        "reason": arguments.reason,
        "kind": arguments.kind,
        "older_than_s": arguments.older_than,
        "newer_than_s": arguments.newer_than,
        "limit": arguments.limit,
    }
