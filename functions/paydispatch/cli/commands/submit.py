"""`paydispatch submit FILE.jsonl`: a batch with a progress bar, resumable, and a report of what was refused and why."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paydispatch.cli.arguments import api_url, bearer_token
from paydispatch.cli.ledger import FileLedger, ledger_of, run_id
from paydispatch.cli.terminal import say, say_json
from paydispatch.domain.errors import NotDelivered, PaydispatchError
from paydispatch.domain.printable import printable
from paydispatch.settings import SdkSettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from paydispatch.compose.dispatcher import Dispatcher
    from paydispatch.services.submit import Report


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "submit",
        help="submit a file of requests",
        description="Submit one JSON object a line: the items of POST /v1/batches. "
        "FILE.jsonl.submitted, its ledger, names the run and remembers which lines each API or queue "
        "has: run the command again to go on where it broke off, and no line is submitted twice. "
        "Without a ledger a file is a new run, and its lines are new requests, also those that an "
        "earlier file had; a line's own idempotency_key names one request in every run.",
        epilog="examples: paydispatch submit renewals.jsonl --secret-ref main; after its ledger was "
        "lost: paydispatch submit renewals.jsonl --secret-ref main --run run_0123456789abcdef",
    )
    parser.add_argument("file", type=Path, metavar="FILE.jsonl")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--api", type=api_url, metavar="URL", help="through the HTTP API")
    where.add_argument(
        "--queue-url", metavar="URL", help="to this queue (default: the environment's)"
    )
    parser.add_argument(
        "--run",
        dest="run_id",  # `run` is the command
        type=run_id,
        metavar="ID",
        help="go on with a run whose ledger was lost (its report names it)",
    )
    parser.add_argument("--secret-ref", metavar="NAME", help="for lines that name no key")
    parser.add_argument("--worker-id", metavar="W", help="for lines that name no worker")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the queue has every line, 1 if some were refused. What breaks it off has its report, too."""
    from paydispatch.services.submit import Report

    total = _count_lines(arguments.file)
    if arguments.queue_url:
        os.environ.update(
            REQUEST_QUEUE_URL=arguments.queue_url, BATCH_QUEUE_URL=arguments.queue_url
        )
    target, report = _target(arguments), Report()
    try:
        _submit(arguments, target, total, report)
    except BaseException:
        if report.dealt_with:
            _show(report, target, arguments)
        raise
    _show(report, target, arguments)
    return 1 if report.refused else 0


def _count_lines(file: Path) -> int:
    """Those that are not blank. Raises `PaydispatchError` before anything is submitted of what is no text."""
    if not file.is_file():
        raise PaydispatchError(f"There is no file {file}.")
    _check_encoding(file)
    count = 0
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                count += bool(line.decode("utf-8-sig").strip())
            except UnicodeDecodeError:
                raise PaydispatchError(f"{file}, line {number}, is not UTF-8.") from None
    return count


def _check_encoding(file: Path) -> None:
    """Raises `PaydispatchError` for UTF-16 and UTF-32, which the first four bytes of any JSON text tell."""
    with file.open("rb") as text:
        encoding = json.detect_encoding(text.read(4))
    if not encoding.startswith("utf-8"):
        raise PaydispatchError(f"{file} is {encoding.upper()}. Save it as UTF-8.")


def _target(arguments: argparse.Namespace) -> str:
    """Who is to have the lines: the API's URL, or the queues'. Raises `MissingSetting`."""
    if arguments.api:
        return str(arguments.api)
    return " ".join(dict.fromkeys(SdkSettings.from_env().queue_urls.values()))


def _submit(arguments: argparse.Namespace, target: str, total: int, report: Report) -> None:
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from paydispatch.services.submit import submit_lines

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        _running(_dispatcher(arguments)) as dispatcher,
        FileLedger(ledger_of(arguments.file), target, wanted_run=arguments.run_id) as ledger,
        arguments.file.open(encoding="utf-8") as lines,
        Progress(
            *columns, transient=True, disable=arguments.json or not sys.stderr.isatty()
        ) as bar,
    ):
        task = bar.add_task(escape(printable(arguments.file.name)), total=total)
        submit_lines(
            lines,
            dispatcher,
            ledger,
            report,
            defaults=_defaults(arguments),
            progress=lambda done: bar.update(task, completed=done),
        )


def _defaults(arguments: argparse.Namespace) -> dict[str, Any]:
    named = {"secret_ref": arguments.secret_ref, "worker_id": arguments.worker_id}
    return {name: value for name, value in named.items() if value is not None}


def _dispatcher(arguments: argparse.Namespace) -> Dispatcher:
    from paydispatch.compose.dispatcher import Dispatcher

    if arguments.api:
        return Dispatcher.http(arguments.api, auth=bearer_token())
    return Dispatcher.from_env()


@contextmanager
def _running(dispatcher: Dispatcher) -> Iterator[Dispatcher]:
    """Run it without the wait at the end that a Dispatcher's own `with` block has.

    A submission that comes to its end has awaited every receipt, and has reported those that failed. One that
    breaks off does not wait, because what was on its way is submitted again later under the same identity.
    """
    dispatcher.start()
    try:
        yield dispatcher
    finally:
        with suppress(NotDelivered):
            dispatcher.close(timeout_s=0)


def _show(report: Report, target: str, arguments: argparse.Namespace) -> None:
    remembers = ledger_of(arguments.file)
    if arguments.json:
        say_json({**asdict(report), "target": target, "remembered_in": str(remembers)})
        return
    before = (
        f", {report.submitted_before} skipped: submitted earlier" if report.submitted_before else ""
    )
    say(f"{report.submitted} submitted{before}, {len(report.refused)} refused.")
    for refusal in report.refused:
        where = f" ({refusal.param})" if refusal.param else ""
        say(f"  line {refusal.line}{where}: {refusal.message}")
    say(f"{remembers} remembers what {target} has of {report.run}.")
    if report.submitted_before and not report.submitted:
        say(
            f"Delete {remembers} to submit this file as a new run: every line is then a new request."
        )
