"""`paydispatch submit FILE`: submits a file of requests, resumably, and reports each refused line."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import bearer_token
from paydispatch.cli.submission.arguments import (
    DESCRIPTION,
    EXAMPLES,
    add_arguments,
    defaults_of,
    request_file,
    target_if_set,
    target_of,
    use_queue,
)
from paydispatch.cli.submission.ledger import FileLedger, ledger_of
from paydispatch.cli.submission.progress import show_progress
from paydispatch.cli.submission.report_page import show_report
from paydispatch.domain.credentials import SecretRef
from paydispatch.domain.errors import NotDelivered
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.settings import default_limits, lane_rules, stripe_api_version

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from paydispatch.compose.dispatcher import Dispatcher
    from paydispatch.services.submission.ports import RequestFile
    from paydispatch.services.submission.report import Report

BUFFER_SIZE = 2_000
"""The requests that wait for the queue. The API takes 1,000 in one call, and the next 1,000 get ready meanwhile."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "submit", help="submit a file of requests", description=DESCRIPTION, epilog=EXAMPLES
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the target has every line, and 1 if lines were refused. Print the report also after an error."""
    from paydispatch.services.submission.report import Report

    use_queue(arguments.queue_url)
    file = request_file(arguments)
    if arguments.plan:
        return _plan(arguments, file)
    target, report = target_of(arguments), Report()
    try:
        _submit(arguments, file, target, report)
    except BaseException:
        if report.dealt_with:
            _show(report, target, arguments)
        raise
    _show(report, target, arguments)
    return 1 if report.refused else 0


def _plan(arguments: argparse.Namespace, file: RequestFile) -> int:
    """Print the plan. Return 1 if a line has a fault."""
    from paydispatch.cli.submission.plan_page import PlanPage
    from paydispatch.services.submission.plan import make_plan
    from paydispatch.services.submission.read_requests import RequestReader

    defaults, target = defaults_of(arguments), target_if_set(arguments)
    given = defaults.credential
    ledger = FileLedger(ledger_of(arguments.file), target or "", wanted_run=arguments.run_id).peek()
    checked = replace(defaults, credential=given or SecretRef("any"))
    plan = make_plan(file, RequestReader(ledger.run, checked, stripe_api_version()), ledger.entries)
    share = lane_rules()[RateLane.BATCH].share
    page = PlanPage(file.name, plan, default_limits(), share, asks_for_key=given is None)
    page.show(as_json=arguments.json)
    return 1 if plan.faults.faulty_lines else 0


def _submit(arguments: argparse.Namespace, file: RequestFile, target: str, report: Report) -> None:
    from paydispatch.adapters.clock import SystemClock
    from paydispatch.services.submission.hand_over import HandOver
    from paydispatch.services.submission.read_requests import RequestReader
    from paydispatch.services.submission.survey import survey

    path = arguments.file
    defaults = defaults_of(arguments)
    with FileLedger(ledger_of(path), target, wanted_run=arguments.run_id) as ledger:
        report.run = ledger.run
        reader = RequestReader(ledger.run, defaults, stripe_api_version())
        found = survey(file, reader, ledger.entries)
        ledger.check_unchanged(found.changed)
        with (
            _keep_running(_dispatcher(arguments)) as dispatcher,
            show_progress(path.name, found.lines, quiet=arguments.json) as progress,
        ):
            hand_over = HandOver(dispatcher, ledger, report, SystemClock(), progress)
            hand_over.run(reader.read(file.lines()))


def _dispatcher(arguments: argparse.Namespace) -> Dispatcher:
    from paydispatch.compose.dispatcher import Dispatcher

    if arguments.api:
        return Dispatcher.http(arguments.api, auth=bearer_token(), buffer_size=BUFFER_SIZE)
    return Dispatcher.from_env(buffer_size=BUFFER_SIZE)


@contextmanager
def _keep_running(dispatcher: Dispatcher) -> Iterator[Dispatcher]:
    """Run a Dispatcher for the block, without the final wait of its own `with` block.

    A complete submission has already awaited every receipt and reported the failed ones. An interrupted submission
    does not wait, because the next one submits the rest again under the same identity.
    """
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        with suppress(NotDelivered):
            dispatcher.close(timeout_s=0)


def _show(report: Report, target: str, arguments: argparse.Namespace) -> None:
    show_report(report, target, ledger_of(arguments.file), outcomes=None, as_json=arguments.json)
