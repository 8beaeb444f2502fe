"""One call of `paydispatch submit`: hand the lines over, and follow them to their outcomes."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.adapters.clock import SystemClock
from paydispatch.cli.arguments import bearer_token
from paydispatch.cli.submission.arguments import defaults_of
from paydispatch.cli.submission.ledger import FileLedger, ledger_of
from paydispatch.cli.submission.progress import show_progress
from paydispatch.cli.submission.report_page import show_report
from paydispatch.cli.submission.results import FileResults, results_of
from paydispatch.domain.errors import NotDelivered
from paydispatch.services.submission.follow import Follower, list_submitted
from paydispatch.services.submission.hand_over import HandOver
from paydispatch.services.submission.read_requests import RequestReader
from paydispatch.services.submission.report import Report
from paydispatch.services.submission.survey import survey
from paydispatch.settings import stripe_api_version

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from paydispatch.compose.dispatcher import Dispatcher
    from paydispatch.domain.submission.summary import Summary
    from paydispatch.services.submission.ports import Outcomes, RequestFile


@dataclass
class Submission:
    """One call of the command. It keeps the counts, so that they can be shown also after an error."""

    arguments: argparse.Namespace
    file: RequestFile
    target: str
    make_dispatcher: Callable[[], Dispatcher]
    report: Report = field(default_factory=Report)
    summary: Summary | None = None
    """The outcomes, once the command waits for them."""

    def run(self) -> None:
        """Submit the file, and wait for the outcomes if that is asked for."""
        arguments = self.arguments
        defaults, path = defaults_of(arguments), arguments.file
        with ExitStack() as stack:
            outcomes = stack.enter_context(_outcomes(arguments)) if arguments.wait else None
            ledger = stack.enter_context(
                FileLedger(ledger_of(path), self.target, wanted_run=arguments.run_id)
            )
            self.report.run = ledger.run
            self._hand_over(ledger, RequestReader(ledger.run, defaults, stripe_api_version()))
            if outcomes is not None:
                self._follow(ledger, outcomes)

    @property
    def all_is_well(self) -> bool:
        return not self.report.refused and (self.summary is None or self.summary.all_done)

    def show(self) -> None:
        followed = None
        if self.summary is not None:
            followed = {**self.summary.as_dict(), "results_in": str(self._results)}
        show_report(
            self.report,
            self.target,
            ledger_of(self.arguments.file),
            outcomes=followed,
            as_json=self.arguments.json,
        )

    def _hand_over(self, ledger: FileLedger, reader: RequestReader) -> None:
        found = survey(self.file, reader, ledger.entries)
        ledger.check_unchanged(found.changed)
        with (
            _keep_running(self.make_dispatcher()) as dispatcher,
            self._progress("submitted", found.lines) as progress,
        ):
            hand_over = HandOver(dispatcher, ledger, self.report, SystemClock(), progress)
            hand_over.run(reader.read(self.file.lines()))

    def _follow(self, ledger: FileLedger, outcomes: Outcomes) -> None:
        submitted = list_submitted(ledger.entries)
        with (
            FileResults(self._results, ledger.run) as results,
            self._progress("outcomes", len(submitted)) as progress,
        ):
            follower = Follower(outcomes, results, time.monotonic, time.sleep, progress)
            self.summary = follower.summary
            follower.run(submitted, self.arguments.wait_at_most)

    @property
    def _results(self) -> Path:
        return self.arguments.results or results_of(self.arguments.file)

    def _progress(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        return show_progress(
            f"{self.arguments.file.name} {title}", total, quiet=self.arguments.json
        )


def _outcomes(arguments: argparse.Namespace) -> AbstractContextManager[Outcomes]:
    from paydispatch.compose.submission import outcomes_of_api, outcomes_of_redis

    if arguments.api:
        return outcomes_of_api(arguments.api, bearer_token())
    return outcomes_of_redis()


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
