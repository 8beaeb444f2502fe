"""`paydispatch demo`: runs example requests through the whole pipeline on this machine and prints the times."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import flows_folder
from paydispatch.cli.extras import LOCAL
from paydispatch.cli.terminal import complain_in_lines, open_console, say_json

if TYPE_CHECKING:
    import argparse

    from paydispatch.local.demo.scenes import Expected
    from paydispatch.local.stack import LocalStack

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.1


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "demo",
        help="run example requests through a local stack",
        description="Start the whole stack on this machine, dispatch example requests, wait for their flows, "
        "and print a report with the times. It needs no AWS, no Stripe account and no files of yours.",
        epilog="""\
examples:
  paydispatch demo
  paydispatch demo --json
  paydispatch demo --flows flows

exit codes:
  0    every flow ran as expected
  1    a flow did not run, or a part of the stack failed""",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--flows",
        type=Path,
        metavar="DIR",
        help="run the flows of this folder (default: the flows of the demo, which come with paydispatch)",
    )
    parser.set_defaults(run=run, extra=LOCAL)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if every expected flow ran, and 1 if one did not run or a part of the stack failed."""
    from paydispatch.local.demo.own_flows import own_flows
    from paydispatch.local.processes import PartFailed
    from paydispatch.local.settings import LocalSettings
    from paydispatch.local.stack import LocalStack

    # Three runs instead of five save time, because only the script that raises is run again here.
    flows = flows_folder(arguments.flows) if arguments.flows else own_flows()
    settings = LocalSettings(flows=flows, environment={"FLOW_ATTEMPTS": "3"})
    began = time.perf_counter()
    try:
        with LocalStack(settings) as stack:
            started_s = time.perf_counter() - began
            return _play(stack, started_s, as_json=arguments.json)
    except PartFailed as failure:
        complain_in_lines(f"paydispatch demo: {failure}")
        return 1


def _play(stack: LocalStack, started_s: float, *, as_json: bool) -> int:
    from paydispatch import Dispatcher
    from paydispatch.local.demo.scenes import break_connections, dispatch, open_shop, scenes

    os.environ.clear()  # so that no variable points this process to a real AWS
    os.environ.update(stack.environment())
    shop = open_shop(stack.addresses.stripe_base)
    break_connections(stack.addresses.stripe_base)
    first = time.perf_counter()
    with Dispatcher.from_env():
        expected = dispatch(scenes(secrets.token_hex(4), shop))
    rows = _wait_for_flows(stack, expected)
    _report(rows, started_s, time.perf_counter() - first, as_json=as_json)
    return 0 if all(row["ok"] for row in rows) else 1


def _wait_for_flows(stack: LocalStack, expected: list[Expected]) -> list[dict[str, Any]]:
    """Read the trail until every flow has run, or until `PATIENCE_S` is over."""
    from paydispatch.local.demo.report import row
    from paydispatch.local.demo.trail import Trail

    trail = Trail(stack.directory)
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        trail.read()
        rows = [row(each, trail) for each in expected]
        if all(each["ok"] for each in rows) or time.monotonic() >= give_up_at:
            return rows
        stack.wait(LOOK_EVERY_S)


def _report(rows: list[dict[str, Any]], started_s: float, took_s: float, *, as_json: bool) -> None:
    if as_json:
        report = {
            "ok": all(row["ok"] for row in rows),
            "started_s": round(started_s, 2),
            "took_s": round(took_s, 2),
            "requests": rows,
        }
        say_json(report)
        return
    from paydispatch.local.demo.report import show

    show(open_console(), rows, started_s, took_s)
