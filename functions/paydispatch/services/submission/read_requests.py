"""Read the requests of a file, each with the key that identifies it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from paydispatch.domain.submission.check import Fault, check_fields, content_of
from paydispatch.domain.submission.file_lines import UnreadableLine
from paydispatch.domain.submission.line_keys import LineKeys

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paydispatch.domain.requests import OperationRequest
    from paydispatch.domain.submission.defaults import Defaults
    from paydispatch.domain.submission.file_lines import FileLine, Line


@dataclass(frozen=True, slots=True)
class RequestLine:
    number: int
    key: str
    """Its own `idempotency_key`, or the one that is made for it."""
    content: str
    """The digest of its content (`content_of`)."""
    request: OperationRequest


@dataclass(frozen=True, slots=True)
class FaultyLine:
    number: int
    key: str | None
    """The key that it would have. A line that cannot be read has none."""
    faults: tuple[Fault, ...]


class RequestReader:
    """Checks the lines of one run."""

    def __init__(self, run: str, defaults: Defaults, stripe_api_version: str) -> None:
        """`stripe_api_version` is the version of Stripe's API that the calls name."""
        self._run = run
        self._defaults = defaults
        self._version = stripe_api_version

    def read(self, lines: Iterable[Line]) -> Iterator[RequestLine | FaultyLine]:
        """Yield the request of each line, or its faults."""
        keys = LineKeys(self._run)
        for line in lines:
            if isinstance(line, UnreadableLine):
                yield FaultyLine(line.number, None, (Fault.of(line.error),))
            else:
                yield self._check(line, keys.make_key(line.text))

    def _check(self, line: FileLine, made_key: str) -> RequestLine | FaultyLine:
        given = line.fields.get("idempotency_key")
        key = made_key if given is None else given
        checked = check_fields(self._defaults.fill_in(line.fields), key, self._version)
        if isinstance(checked, tuple):
            return FaultyLine(line.number, str(key), checked)
        return RequestLine(line.number, key, content_of(checked), checked)
