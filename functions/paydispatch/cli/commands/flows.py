"""`paydispatch flows dead list|show|rerun`: shows the flows that failed for good, and runs them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import age_s, count
from paydispatch.cli.dead_flows_report import show_flows
from paydispatch.cli.event_log import show_event_log
from paydispatch.cli.extras import WORKER
from paydispatch.cli.operate import add_stack, ask, raise_if_stopped
from paydispatch.cli.terminal import complain, say_json
from paydispatch.domain.errors import PaydispatchError

if TYPE_CHECKING:
    import argparse

    from paydispatch.services.operate.ports import Document

    Actions = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001

LIMIT = 1_000
DONE = ("rerun", "left")
"""The actions of flows that are where the operator wants them. `left` comes from a dry run."""


def add_parser(commands: Actions) -> None:
    parser = commands.add_parser(
        "flows",
        help="list, show or run again the flows that failed for good",
        epilog="""\
examples:
  paydispatch flows dead list
  paydispatch flows dead rerun --all --dry-run""",
    )
    subjects = parser.add_subparsers(metavar="SUBJECT", required=True)
    dead = subjects.add_parser(
        "dead",
        help="the flows on the dead streams",
        description="A flow is dead if it failed in each of its runs, or if no worker has its script.",
        epilog="""\
examples:
  paydispatch flows dead list
  paydispatch flows dead show pdr_01m82qt6xzezdwnvs8qmdew3r2""",
    )
    actions = dead.add_subparsers(metavar="ACTION", required=True)
    _add_list(actions)
    _add_show(actions)
    _add_rerun(actions)


def _add_list(actions: Actions) -> None:
    parser = actions.add_parser(
        "list",
        help="list the dead flows, and why they failed",
        description="List the dead flows of all workers in the order of their deaths. This command changes nothing.",
        epilog="""\
examples:
  paydispatch flows dead list
  paydispatch flows dead list --worker-id payment-worker-1 --since 2h
  paydispatch flows dead list --script new_create_payment_intent_response --json""",
    )
    _add_choice(parser)
    parser.set_defaults(run=run_list, id=None, extra=WORKER)


def _add_show(actions: Actions) -> None:
    parser = actions.add_parser(
        "show",
        help="print the dead flows of a request as JSON",
        description="Print each dead flow of a request with its reason and its outcome, as JSON. No key is in it.",
        epilog="""\
examples:
  paydispatch flows dead show pdr_01m82qt6xzezdwnvs8qmdew3r2

exit codes:
  0    printed
  1    there is no such dead flow""",
    )
    parser.add_argument(
        "id", metavar="ID", help="id of the request or of the flow, as printed by `list`"
    )
    parser.add_argument("--worker-id", metavar="W", help="only flows of this worker")
    parser.add_argument("--json", action="store_true", help="print JSON (the default)")
    add_stack(parser)
    parser.set_defaults(run=run_show, extra=WORKER)


def _add_rerun(actions: Actions) -> None:
    parser = actions.add_parser(
        "rerun",
        help="run dead flows again",
        description="Put dead flows back on the streams of their workers, each as the last of its context and with all "
        "of its runs. Correct the script first. Without --dry-run it needs an ID, a filter or --all.",
        epilog="""\
examples:
  paydispatch flows dead rerun --script new_create_refund_error --dry-run
  paydispatch flows dead rerun --script new_create_refund_error
  paydispatch flows dead rerun pdr_01m82qt6xzezdwnvs8qmdew3r2
  paydispatch flows dead rerun --all --since 2h --stack paydispatch

exit codes:
  0    every chosen flow runs again (with --dry-run: printed)
  1    a chosen flow stays dead, and its line says why""",
    )
    parser.add_argument(
        "id", nargs="?", metavar="ID", help="id of the request or of the flow, as `list` prints it"
    )
    parser.add_argument("--all", action="store_true", help="take all dead flows")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the flows that would run again, and change nothing",
    )
    _add_choice(parser)
    parser.set_defaults(run=run_rerun, extra=WORKER)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worker-id", metavar="W", help="only flows of this worker")
    parser.add_argument("--context", metavar="C", help="only flows of this context")
    parser.add_argument(
        "--script", metavar="S", help="only flows of this script, such as any_error"
    )
    parser.add_argument(
        "--since", type=age_s, metavar="AGE", help="only flows that died in this time, such as 2h"
    )
    parser.add_argument(
        "--limit",
        type=count,
        default=LIMIT,
        metavar="N",
        help=f"stop after N flows (default: {LIMIT})",
    )
    parser.add_argument("--json", action="store_true", help="print the flows as JSON")
    add_stack(parser)


def run_list(arguments: argparse.Namespace) -> int:
    with show_event_log(verbose=False):
        walk = ask(arguments, "flows dead list", **_choice(arguments))
    _show(walk, arguments)
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Return 1 if there is no such flow, otherwise 0."""
    with show_event_log(verbose=False):
        found = ask(arguments, "flows dead show", id=arguments.id, worker_id=arguments.worker_id)[
            "flows"
        ]
    if not found:
        complain(f"There is no dead flow with the id {arguments.id}.")
        return 1
    say_json({"flows": found}, indent=2)
    return 0


def run_rerun(arguments: argparse.Namespace) -> int:
    """Return 1 if a chosen flow stays dead, otherwise 0. Raises `PaydispatchError` if nothing was chosen."""
    choice = _choice(arguments)
    chosen = arguments.all or any(value for name, value in choice.items() if name != "limit")
    if not (chosen or arguments.dry_run):
        raise PaydispatchError(
            "Name the flows that run again: an ID, --worker-id, --context, --script, --since or --all."
        )
    with show_event_log(verbose=False):
        walk = ask(arguments, "flows dead rerun", dry_run=arguments.dry_run, **choice)
    _show(walk, arguments)
    return 0 if all(flow["action"] in DONE for flow in walk["flows"]) else 1


def _show(walk: Document, arguments: argparse.Namespace) -> None:
    """Print the flows, also if the walk stopped in the middle, because their actions were taken."""
    show_flows(walk, arguments.limit, as_json=arguments.json)
    raise_if_stopped(walk)


def _choice(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "id": arguments.id,
        "worker_id": arguments.worker_id,
        "context_id": arguments.context,
        "script": arguments.script,
        "since_s": arguments.since,
        "limit": arguments.limit,
    }
