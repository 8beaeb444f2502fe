"""Submit a file of requests: each line once in a run, however often the run is interrupted and taken up again.

A line's idempotency key is its own `idempotency_key`, or is made of the run, of its text and of its place among equal
lines. So an equal line of tomorrow's file, in a run of its own, is another request. What the queue has is written down
line by line, so that a run that broke off goes on where it ended.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from paydispatch.domain.errors import BadRequest, BufferFull, InvalidField, PaydispatchError
from paydispatch.domain.json_text import BYTE_ORDER_MARK, read_json
from paydispatch.domain.requests import CreateRequest, Lane, parse_create_request
from paydispatch.domain.resources import resource_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from paydispatch.sdk.receipt import Receipt


class Submitter(Protocol):
    """The part of a Dispatcher that is needed here."""

    def submit_request(self, request: CreateRequest) -> Receipt: ...


class Ledger(Protocol):
    """The run, and which of its lines the queue has, by their keys. It outlives the process."""

    @property
    def run(self) -> str:
        """Names the lines that bring no key. Durable before the first of them is submitted."""
        ...

    def has(self, key: str) -> bool: ...

    def add(self, key: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not submitted, and why."""

    line: int
    param: str | None
    message: str


@dataclass(slots=True)
class Report:
    run: str | None = None
    submitted: int = 0
    submitted_before: int = 0
    refused: list[Refusal] = field(default_factory=list)

    @property
    def dealt_with(self) -> int:
        """Lines."""
        return self.submitted + self.submitted_before + len(self.refused)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    key: str
    request: CreateRequest | BadRequest


def submit_lines(
    lines: Iterable[str],
    dispatcher: Submitter,
    ledger: Ledger,
    report: Report,
    *,
    defaults: Mapping[str, Any],
    progress: Callable[[int], None],
) -> None:
    """Submit every line that the ledger does not have; `defaults` fill in fields that a line leaves out.

    `report` fills as the lines are dealt with, and says what was done also if this is broken off. `progress` is
    called with the number of those lines.
    """
    report.run = ledger.run
    under_way: deque[tuple[_Line, Receipt]] = deque()
    for line in _read(lines, ledger.run, defaults):
        if ledger.has(line.key):
            report.submitted_before += 1
        else:
            _submit(line, dispatcher, under_way, ledger, report)
        progress(report.dealt_with)
    while under_way:
        _await_oldest(under_way, ledger, report)
        progress(report.dealt_with)


def _submit(
    line: _Line,
    dispatcher: Submitter,
    under_way: deque[tuple[_Line, Receipt]],
    ledger: Ledger,
    report: Report,
) -> None:
    if isinstance(line.request, BadRequest):
        report.refused.append(_refusal(line, line.request))
        return
    while True:
        try:
            under_way.append((line, dispatcher.submit_request(line.request)))
        except BufferFull:
            _await_oldest(under_way, ledger, report)  # the queue sets the pace
            continue
        except BadRequest as error:
            report.refused.append(_refusal(line, error))
        return


def _await_oldest(under_way: deque[tuple[_Line, Receipt]], ledger: Ledger, report: Report) -> None:
    line, receipt = under_way.popleft()
    try:
        receipt.wait()
    except PaydispatchError as error:
        report.refused.append(_refusal(line, error))
        return
    ledger.add(line.key)
    report.submitted += 1


def _refusal(line: _Line, error: PaydispatchError) -> Refusal:
    return Refusal(line.number, getattr(error, "param", None), str(error))


def _read(lines: Iterable[str], run: str, defaults: Mapping[str, Any]) -> Iterator[_Line]:
    equal: Counter[str] = Counter()
    for number, text in enumerate(lines, start=1):
        stripped = text.removeprefix(BYTE_ORDER_MARK).strip()
        if not stripped:
            continue
        equal[stripped] += 1
        digest = hashlib.sha256(f"{run}\n{equal[stripped]}\n{stripped}".encode()).hexdigest()
        yield _line(number, stripped, f"line-{digest[:40]}", defaults)


def _line(number: int, text: str, made_key: str, defaults: Mapping[str, Any]) -> _Line:
    try:
        fields = read_json(text)
    except ValueError:
        return _Line(number, made_key, InvalidField(None, "The line is not valid JSON."))
    if not isinstance(fields, dict):
        return _Line(number, made_key, InvalidField(None, "The line is not a JSON object."))
    key = fields.get("idempotency_key", made_key)
    try:
        return _Line(number, str(key), _request({**defaults, **fields}, key))
    except BadRequest as error:
        return _Line(number, str(key), error)


def _request(fields: dict[str, Any], key: Any) -> CreateRequest:
    object_name = fields.get("object")
    if not isinstance(object_name, str):
        raise InvalidField("object", "Missing required field: object.", code="parameter_missing")
    if "stripe_secret" in fields:
        fields.pop("secret_ref", None)  # a line's own key counts before the default name
    fields.setdefault("lane", Lane.BATCH.value)
    return parse_create_request(resource_named(object_name).name, fields, idempotency_key=key)
