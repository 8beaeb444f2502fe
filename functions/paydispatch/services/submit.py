"""Submit a file of requests: each line once in a run, even if the run is interrupted and continued several times.

The idempotency key of a line is its own `idempotency_key`. Without one it is derived from the run, the text of the line
and its number among equal lines. So the same line in tomorrow's file, which is another run, is another request. The
ledger records each line that the queue has, so that an interrupted run continues with the remaining lines.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from paydispatch.domain.errors import BadRequest, BufferFull, InvalidField, PaydispatchError
from paydispatch.domain.requests import Lane, OperationRequest, parse_item
from paydispatch.domain.text.json_text import BYTE_ORDER_MARK, read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from paydispatch.sdk.receipt import Receipt


class Submitter(Protocol):
    """The method of a Dispatcher that submits a request."""

    def submit_request(self, request: OperationRequest) -> Receipt: ...


class Ledger(Protocol):
    """The id of the run, and the keys of the lines that the queue has. It is stored on disk."""

    @property
    def run(self) -> str:
        """The id of the run, from which the keys of lines without a key are derived.

        It is durable before the first of these lines is submitted.
        """
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
    """The report of a run."""

    run: str | None = None
    submitted: int = 0
    submitted_before: int = 0
    """Lines that were skipped, because the ledger has them."""
    refused: list[Refusal] = field(default_factory=list)

    @property
    def dealt_with(self) -> int:
        """The number of lines that were submitted, skipped or refused."""
        return self.submitted + self.submitted_before + len(self.refused)


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    key: str
    request: OperationRequest | BadRequest


def submit_lines(
    lines: Iterable[str],
    dispatcher: Submitter,
    ledger: Ledger,
    report: Report,
    *,
    defaults: Mapping[str, Any],
    progress: Callable[[int], None],
) -> None:
    """Submit every line that the ledger does not have. `defaults` are the values of fields that a line leaves out.

    `report` is updated line by line, so that it is right also after an interruption. `progress` is called with
    `report.dealt_with`.
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
        report.refused.append(_make_refusal(line, line.request))
        return
    while True:
        try:
            under_way.append((line, dispatcher.submit_request(line.request)))
        except BufferFull:
            _await_oldest(under_way, ledger, report)  # frees a place in the buffer
            continue
        except BadRequest as error:
            report.refused.append(_make_refusal(line, error))
        return


def _await_oldest(under_way: deque[tuple[_Line, Receipt]], ledger: Ledger, report: Report) -> None:
    line, receipt = under_way.popleft()
    try:
        receipt.wait()
    except PaydispatchError as error:
        report.refused.append(_make_refusal(line, error))
        return
    ledger.add(line.key)
    report.submitted += 1


def _make_refusal(line: _Line, error: PaydispatchError) -> Refusal:
    return Refusal(line.number, getattr(error, "param", None), str(error))


def _read(lines: Iterable[str], run: str, defaults: Mapping[str, Any]) -> Iterator[_Line]:
    equal: Counter[str] = Counter()
    for number, text in enumerate(lines, start=1):
        stripped = text.removeprefix(BYTE_ORDER_MARK).strip()
        if not stripped:
            continue
        equal[stripped] += 1
        digest = hashlib.sha256(f"{run}\n{equal[stripped]}\n{stripped}".encode()).hexdigest()
        yield _parse_line(number, stripped, f"line-{digest[:40]}", defaults)


def _parse_line(number: int, text: str, made_key: str, defaults: Mapping[str, Any]) -> _Line:
    try:
        fields = read_json(text)
    except ValueError:
        return _Line(number, made_key, InvalidField(None, "The line is not valid JSON."))
    if not isinstance(fields, dict):
        return _Line(number, made_key, InvalidField(None, "The line is not a JSON object."))
    key = fields.get("idempotency_key", made_key)
    try:
        return _Line(number, str(key), _parse_request({**defaults, **fields}, key))
    except BadRequest as error:
        return _Line(number, str(key), error)


def _parse_request(fields: dict[str, Any], key: Any) -> OperationRequest:
    if "stripe_secret" in fields:
        fields.pop("secret_ref", None)  # the line's own key takes precedence over the default
    fields.setdefault("lane", Lane.BATCH.value)
    return parse_item(fields, idempotency_key=key)
