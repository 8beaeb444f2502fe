"""Plan a submission: every fault of the file, and how long its calls take. Nothing is sent or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.submission.check import Fault
from paydispatch.domain.submission.defaults import holds_credential
from paydispatch.domain.submission.fault_groups import FaultGroups
from paydispatch.domain.submission.file_lines import FileLine
from paydispatch.domain.submission.load import Load
from paydispatch.services.submission.ports import Stage
from paydispatch.services.submission.read_requests import FaultyLine, RequestLine
from paydispatch.services.submission.survey import find_changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from paydispatch.domain.submission.file_lines import Line
    from paydispatch.services.submission.ports import Entry, RequestFile
    from paydispatch.services.submission.read_requests import RequestReader

_CHANGED = Fault(
    None,
    "line_changed",
    "The line is not as the run submitted it. Put it back, and add a changed line as a further one.",
)


@dataclass(slots=True)
class Plan:
    lines: int = 0
    """The lines that are not blank."""
    ready: int = 0
    """The lines that a submission would hand over."""
    submitted_before: int = 0
    without_credential: int = 0
    """The lines with neither a key nor a `secret_ref`."""
    faults: FaultGroups = field(default_factory=FaultGroups)
    load: Load = field(default_factory=Load)


def make_plan(file: RequestFile, reader: RequestReader, entries: Mapping[str, Entry]) -> Plan:
    """Check every line as a submission does. `entries` are those of the ledger.

    The defaults of `reader` have a credential. Raises `PaydispatchError` for a fault of the whole file.
    """
    plan = Plan()
    lines = reader.read(_count(file.lines(), plan))
    for number in find_changed(_add_each(lines, entries, plan), entries):
        plan.faults.add(number, [_CHANGED])
    return plan


def _count(lines: Iterable[Line], plan: Plan) -> Iterator[Line]:
    for line in lines:
        plan.lines += 1
        plan.without_credential += isinstance(line, FileLine) and not holds_credential(line.fields)
        yield line


def _add_each(
    lines: Iterable[RequestLine | FaultyLine], entries: Mapping[str, Entry], plan: Plan
) -> Iterator[RequestLine | FaultyLine]:
    for line in lines:
        if isinstance(line, FaultyLine):
            plan.faults.add(line.number, line.faults)
        else:
            _add(line, entries.get(line.key), plan)
        yield line


def _add(line: RequestLine, entry: Entry | None, plan: Plan) -> None:
    if entry is not None and entry.stage is Stage.SUBMITTED:
        plan.submitted_before += 1
    else:
        plan.ready += 1
        plan.load.add(line.request)
