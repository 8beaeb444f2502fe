"""Hand the lines of a file over: each once in a run, even if the run is killed and continued at any point.

The steps for each block of lines, in order:

1. Record durably that its lines begin, with their keys and the digests of their content.
2. Hand them over, each under its key.
3. Record of each line that the target has it.

A kill before 1 leaves nothing. A kill after 1 leaves lines of which the target may have any. The next call hands those
over again under the same keys, which makes no second request. A line that began and then changed would be a second
request under another key. Therefore such a file is refused before a line is sent (`survey.py`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from paydispatch.domain.errors import BadRequest, BufferFull, MaybeAccepted, PaydispatchError
from paydispatch.domain.limits import FORGOTTEN_S
from paydispatch.domain.submission.check import Fault
from paydispatch.services.submission.ports import Begun, Stage
from paydispatch.services.submission.read_requests import FaultyLine
from paydispatch.services.submission.report import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from paydispatch.ports import Clock
    from paydispatch.sdk.receipt import Receipt
    from paydispatch.services.submission.ports import Entry, Ledger, Submitter
    from paydispatch.services.submission.read_requests import RequestLine
    from paydispatch.services.submission.report import Report

_TOO_OLD = Fault(
    None,
    "too_old",
    "An earlier call began to hand this line over more than 24 days ago, and did not record whether it arrived. "
    "Nothing remembers its key by now. Look for it at Stripe. If it is missing, submit it in a file of its own.",
)

BLOCK_LINES = 500
"""The lines of one durable record. Writing it takes some milliseconds."""


class HandOver:
    """The hand-over of one file to one target."""

    def __init__(
        self,
        dispatcher: Submitter,
        ledger: Ledger,
        report: Report,
        clock: Clock,
        progress: Callable[[int], None],
    ) -> None:
        """`progress` is called with `report.dealt_with`."""
        self._dispatcher = dispatcher
        self._ledger = ledger
        self._report = report
        self._clock = clock
        self._progress = progress
        self._block: list[RequestLine] = []
        self._under_way: deque[tuple[int, str, Receipt]] = deque()
        """The number and the key of each line that was handed over, and its receipt."""

    def run(self, lines: Iterable[RequestLine | FaultyLine]) -> None:
        """Hand over every line that the ledger does not have as submitted, and wait until the target has them."""
        for line in lines:
            self._take(line)
            self._progress(self._report.dealt_with)
        self._end_block()
        while self._under_way:
            self._await_oldest()
            self._progress(self._report.dealt_with)

    def _take(self, line: RequestLine | FaultyLine) -> None:
        if isinstance(line, FaultyLine):
            self._refuse(line.number, _join(line.faults))
            return
        entry = self._ledger.entries.get(line.key)
        if entry is None:
            self._add_to_block(line)
        elif entry.content not in (None, line.content):
            self._refuse(line.number, _other_content(entry))
        elif entry.stage is not Stage.BEGUN_EARLIER:
            self._report.submitted_before += 1
        elif self._is_forgotten(entry):
            self._refuse(line.number, _TOO_OLD)
        else:
            self._add_to_block(line)

    def _add_to_block(self, line: RequestLine) -> None:
        self._ledger.begin(Begun(line.number, line.key, line.content), self._clock.now_s())
        self._block.append(line)
        if len(self._block) == BLOCK_LINES:
            self._end_block()

    def _end_block(self) -> None:
        """Record the lines of the block durably, and only then hand them over."""
        block, self._block = self._block, []
        self._ledger.make_durable()
        for line in block:
            self._hand_over(line)
        self._note_ended()

    def _hand_over(self, line: RequestLine) -> None:
        while True:
            try:
                receipt = self._dispatcher.submit_request(line.request)
            except BufferFull:
                self._await_oldest()  # frees a place in the buffer
                continue
            except BadRequest as error:
                self._note_failure(line.number, line.key, error)
            else:
                self._under_way.append((line.number, line.key, receipt))
            return

    def _note_ended(self) -> None:
        """Note the oldest receipts that have ended, so that a fast queue does not let them fill the memory."""
        while self._under_way and _has_ended(self._under_way[0][2]):
            self._await_oldest()

    def _await_oldest(self) -> None:
        number, key, receipt = self._under_way.popleft()
        try:
            receipt.wait()
        except PaydispatchError as error:
            self._note_failure(number, key, error)
            return
        self._ledger.mark_submitted(key, receipt.request_id)
        self._report.submitted += 1

    def _note_failure(self, number: int, key: str, error: PaydispatchError) -> None:
        """Report the line. If the target certainly does not have it, its owner may change it."""
        if not isinstance(error, MaybeAccepted):
            self._ledger.mark_refused(key)
        self._refuse(number, _fault_of(error))

    def _refuse(self, number: int, fault: Fault) -> None:
        self._report.refused.append(Refusal(number, fault.param, fault.message, fault.code))

    def _is_forgotten(self, entry: Entry) -> bool:
        """Return whether the target may have forgotten an earlier hand-over, and would take this one as new."""
        return entry.begun_at is not None and self._clock.now_s() - entry.begun_at >= FORGOTTEN_S


def _has_ended(receipt: Receipt) -> bool:
    return receipt.durable or receipt.failure is not None


def _join(faults: Sequence[Fault]) -> Fault:
    """Return the first fault with the messages of all."""
    return replace(faults[0], message=" ".join(fault.message for fault in faults))


def _fault_of(error: PaydispatchError) -> Fault:
    if isinstance(error, BadRequest):
        return Fault.of(error)
    return Fault(None, "not_delivered", str(error))


def _other_content(entry: Entry) -> Fault:
    return Fault(
        "idempotency_key",
        "idempotency_key_reused",
        f"Line {entry.line} has this idempotency_key with other content. Give each request a key of its own.",
    )
