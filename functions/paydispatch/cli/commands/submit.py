"""`paydispatch submit FILE.jsonl`: submits a file of requests, resumably, and reports each refused line."""

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
from paydispatch.domain.text.printable import printable
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
        description="Submit a file with one JSON object per line, each an item as in POST /v1/batches: with an object, "
        "which means its create, or with an operation and the ids of its path. "
        "The ledger FILE.jsonl.submitted stores the id of the run and the lines that each API or queue has. "
        "If the command stops early, run it again: it submits the remaining lines, and no line twice. "
        "Without a ledger a file is a new run, and its lines are new requests, even if an earlier file had "
        "the same lines. A line with its own idempotency_key is the same request in every run.",
        epilog="""\
examples:
  paydispatch submit renewals.jsonl --secret-ref main
  paydispatch submit renewals.jsonl --api https://api.example.com --json
  paydispatch submit renewals.jsonl --secret-ref main --run run_0123456789abcdef

The last one continues a run after the loss of its ledger.

exit codes:
  0    the queue has every line
  1    a line was refused""",
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE.jsonl", help="file with one JSON object per line"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--api", type=api_url, metavar="URL", help="submit to the HTTP API at this URL"
    )
    where.add_argument(
        "--queue-url",
        metavar="URL",
        help="submit to this queue (default: REQUEST_QUEUE_URL and BATCH_QUEUE_URL)",
    )
    parser.add_argument(
        "--run",
        dest="run_id",  # `run` is the command
        type=run_id,
        metavar="ID",
        help="continue this run after the loss of its ledger; the report of the run names the id (default: a new run)",
    )
    parser.add_argument("--secret-ref", metavar="NAME", help="secret_ref for lines without a key")
    parser.add_argument("--worker-id", metavar="W", help="worker_id for lines without one")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the queue has every line, and 1 if lines were refused. Print the report also after an error."""
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
    """Return the number of lines that are not blank. Raises `PaydispatchError` if the file is not UTF-8 text."""
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
    """Raises `PaydispatchError` for UTF-16 and UTF-32, which the first four bytes of a JSON text reveal."""
    with file.open("rb") as text:
        encoding = json.detect_encoding(text.read(4))
    if not encoding.startswith("utf-8"):
        raise PaydispatchError(f"{file} is {encoding.upper()}. Save it as UTF-8.")


def _target(arguments: argparse.Namespace) -> str:
    """Return the URL of the API, or the URLs of the queues, that the lines go to. Raises `MissingSetting`."""
    if arguments.api:
        return str(arguments.api)
    return " ".join(dict.fromkeys(SdkSettings.from_env().queue_urls.values()))


def _submit(arguments: argparse.Namespace, target: str, total: int, report: Report) -> None:
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from paydispatch.services.submit import submit_lines

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        _keep_running(_dispatcher(arguments)) as dispatcher,
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
    ledger = ledger_of(arguments.file)
    if arguments.json:
        say_json({**asdict(report), "target": target, "remembered_in": str(ledger)})
        return
    before = (
        f", {report.submitted_before} skipped: submitted earlier" if report.submitted_before else ""
    )
    say(f"{report.submitted} submitted{before}, {len(report.refused)} refused.")
    for refusal in report.refused:
        where = f" ({refusal.param})" if refusal.param else ""
        say(f"  line {refusal.line}{where}: {refusal.message}")
    say(f"{ledger} lists the lines of {report.run} that {target} has.")
    if report.submitted_before and not report.submitted:
        say(f"To submit this file as a new run, with every line as a new request, delete {ledger}.")
