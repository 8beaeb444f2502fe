"""`paydispatch doctor`: prints the accepted requests without a terminal flow, why each waits, and its next step."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import age_s, format_age
from paydispatch.cli.extras import WORKER
from paydispatch.cli.limits_report import show_holds
from paydispatch.cli.looks_report import describe_looks
from paydispatch.cli.operate import add_stack, ask
from paydispatch.cli.tables import show_table
from paydispatch.cli.terminal import say, say_json

if TYPE_CHECKING:
    import argparse

    from paydispatch.services.operate.ports import Document

COLUMNS = ("request", "operation", "worker", "age", "waits", "next", "in")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "doctor",
        help="list the requests that wait, with the reason and the next step",
        description="Find accepted requests for which no terminal flow has run yet, and what holds calls back: pauses, "
        "open breakers, and limits that shrank after a 429. This command changes nothing.",
        epilog="""\
examples:
  paydispatch doctor
  paydispatch doctor --older-than 1h --json
  paydispatch doctor --stack paydispatch

exit codes:
  0    no request waits longer than --older-than, no call is stopped,
       and Redis does not evict keys
  1    otherwise""",
    )
    parser.add_argument(
        "--older-than",
        type=age_s,
        default=300.0,
        metavar="AGE",
        help="only requests older than this (default: 5m)",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_stack(parser)
    parser.set_defaults(run=run, extra=WORKER)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if no request waits longer than `--older-than`, no call is stopped and Redis does not evict, else 1."""
    diagnosis = ask(arguments, "doctor", older_than_s=arguments.older_than)
    if arguments.json:
        say_json(diagnosis)
    else:
        _show(diagnosis, arguments.older_than)
    return 0 if diagnosis["healthy"] else 1


def _show(diagnosis: Document, older_than_s: float) -> None:
    if diagnosis["findings"]:
        show_table(COLUMNS, map(_row, diagnosis["findings"]))
    else:
        say(_describe_none(diagnosis, format_age(older_than_s)))
    if diagnosis["more_findings"]:
        say("Further requests wait, too. These have waited longest.")
    if diagnosis["more_workers"]:
        say("Requests of further workers wait, too.")
    for place in diagnosis["looks"]:
        say(describe_looks(place, time.time()))
    show_holds(diagnosis["holds"])
    for stream in diagnosis["streams"]:
        counts = f"{stream['pending']} pending, {stream['unread']} unread, {stream['dead']} dead"
        say(f"worker {stream['worker_id']}: {counts}")
    for queue in diagnosis["queues"]:
        counts = f"{queue['waiting']} waiting, {queue['in_flight']} in flight, {queue['delayed']} delayed"
        say(f"queue {queue['name']}: {counts}")
    say(_describe_policy(diagnosis))


def _describe_none(diagnosis: Document, age: str) -> str:
    """Return the headline without findings. A flow that failed less than `age` ago is no finding yet."""
    dead = sum(stream["dead"] for stream in diagnosis["streams"])
    waits = f"No request has waited longer than {age}"
    if not dead:
        return f"{waits}."
    flows = "a flow" if dead == 1 else f"{dead} flows"
    return f"{waits}, but {flows} failed for good: see paydispatch doctor --older-than 1s"


def _describe_policy(diagnosis: Document) -> str:
    policy = diagnosis["eviction_policy"]
    if policy is None:
        return "redis: its maxmemory-policy is not known"
    warning = ". It can evict the keys that prevent double payments. Set noeviction"
    return f"redis: maxmemory-policy {policy}{warning if diagnosis['evicts'] else ''}"


def _row(finding: Document) -> list[str]:
    now_s, expected_at = time.time(), finding["expected_at"]
    left = "" if expected_at is None else format_age(max(0.0, expected_at - now_s))
    return [
        finding["request_id"],
        finding["operation"] or finding["object"] or "?",
        finding["worker_id"],
        format_age(max(0.0, now_s - finding["since"])),
        f"{finding['reason']}: {finding['detail']}",
        finding["next_step"],
        left,
    ]
