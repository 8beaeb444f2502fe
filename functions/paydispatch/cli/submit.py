"""`paydispatch submit FILE.jsonl`: a batch with a progress bar, resumable, and a report of what was refused and why."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import argparse
    from types import TracebackType

    from paydispatch.dispatcher import Dispatcher
    from paydispatch.services.submit import Report


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "submit",
        help="submit a file of requests",
        description="Submit one JSON object a line: the items of POST /v1/batches. "
        "Run it again to go on where it broke off; nothing is submitted twice.",
    )
    parser.add_argument("file", type=Path, metavar="FILE.jsonl")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--api", metavar="URL", help="through the HTTP API")
    where.add_argument(
        "--queue-url", metavar="URL", help="to this queue (default: the environment's)"
    )
    parser.add_argument("--secret-ref", metavar="NAME", help="for lines that name no key")
    parser.add_argument("--worker-id", metavar="W", help="for lines that name no worker")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the queue has every line, 1 if some were refused."""
    if not arguments.file.is_file():
        raise SystemExit(f"paydispatch: there is no file {arguments.file}")
    named = {"secret_ref": arguments.secret_ref, "worker_id": arguments.worker_id}
    defaults = {name: value for name, value in named.items() if value is not None}
    report = _submit(arguments, defaults)
    _show(report, arguments)
    return 1 if report.refused else 0


def _submit(arguments: argparse.Namespace, defaults: dict[str, Any]) -> Report:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from paydispatch.services.submit import submit_lines

    with arguments.file.open(encoding="utf-8") as lines:
        total = sum(1 for line in lines if line.strip())
    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        _dispatcher(arguments) as dispatcher,
        FileLedger(arguments.file.with_name(arguments.file.name + ".submitted")) as ledger,
        arguments.file.open(encoding="utf-8") as lines,
        Progress(
            *columns, transient=True, disable=arguments.json or not sys.stderr.isatty()
        ) as bar,
    ):
        task = bar.add_task(arguments.file.name, total=total)
        return submit_lines(
            lines,
            dispatcher,
            ledger,
            defaults=defaults,
            progress=lambda done: bar.update(task, completed=done),
        )


def _dispatcher(arguments: argparse.Namespace) -> Dispatcher:
    from paydispatch.dispatcher import Dispatcher

    if arguments.api:
        return Dispatcher.http(arguments.api, auth=os.environ.get("PAYDISPATCH_TOKEN"))
    if arguments.queue_url:
        os.environ.update(
            REQUEST_QUEUE_URL=arguments.queue_url, BATCH_QUEUE_URL=arguments.queue_url
        )
    return Dispatcher.from_env()


def _show(report: Report, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print(json.dumps(asdict(report)))
        return
    before = f", {report.submitted_before} had been before" if report.submitted_before else ""
    print(f"{report.submitted} submitted{before}, {len(report.refused)} refused.")
    for refusal in report.refused:
        where = f" ({refusal.param})" if refusal.param else ""
        print(f"  line {refusal.line}{where}: {refusal.message}")


class FileLedger:
    """The keys of the lines the queue has, beside the submitted file, one a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        lines = self._path.read_text("utf-8").splitlines() if self._path.exists() else []
        self._keys = {json.loads(line) for line in lines}
        self._file = self._path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._file.close()

    def has(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        self._keys.add(key)
        self._file.write(json.dumps(key) + "\n")
        self._file.flush()
