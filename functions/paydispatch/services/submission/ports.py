"""The ports of a submission."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from paydispatch.domain.requests import OperationRequest
    from paydispatch.domain.submission.file_lines import Line
    from paydispatch.sdk.receipt import Receipt


class RequestFile(Protocol):
    """A file of requests. It is read several times, and never held in memory."""

    @property
    def name(self) -> str: ...

    def lines(self) -> Iterator[Line]:
        """Yield each line that is not blank. Raises `PaydispatchError` for a fault of the whole file."""
        ...


class Submitter(Protocol):
    """The method of a Dispatcher that submits a request."""

    def submit_request(self, request: OperationRequest) -> Receipt: ...


class Stage(Enum):
    """How far a line has come with one target."""

    BEGUN_EARLIER = "begun earlier"
    """An earlier call of the command may have handed it over. It is handed over again under its key."""
    BEGUN = "begun"
    """This call hands it over."""
    SUBMITTED = "submitted"
    """The target has it."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A line that is about to be handed over."""

    line: int
    key: str
    content: str
    """The digest of its content (`content_of`)."""


@dataclass(slots=True)
class Entry:
    """The state of one line in the ledger of one target."""

    stage: Stage
    line: int | None = None
    content: str | None = None
    request_id: str | None = None
    """The id under which the target has it."""
    begun_at: float | None = None
    """Unix seconds of the first hand-over."""
    in_doubt: bool = False
    """An earlier call may have handed it over, so that no refusal proves that the target does not have it."""


class Ledger(Protocol):
    """The id of the run, and its lines that one target has or may have. It is stored on disk."""

    @property
    def run(self) -> str:
        """The id of the run, from which the keys of lines without a key are derived. It is durable."""
        ...

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The lines by their keys."""
        ...

    def begin(self, line: Begun, now_s: float) -> None:
        """Note that a line is about to be handed over, in memory. `make_durable` must follow before the hand-over."""
        ...

    def make_durable(self) -> None:
        """Write the lines that began to the disk, so that no kill and no power cut loses them."""
        ...

    def mark_submitted(self, key: str, request_id: str) -> None:
        """Record that the target has the line."""
        ...

    def mark_refused(self, key: str) -> None:
        """Record that the target certainly does not have the line, so that its owner may change it."""
        ...


class Outcomes(Protocol):
    """The status of requests, from the API or from Redis."""

    def find(self, request_ids: Sequence[str]) -> Sequence[Mapping[str, Any] | None]:
        """Return the status document of each request, or None if it is not known. Raises `Unavailable`."""
        ...


class Results(Protocol):
    """The file of the outcomes. It is written as they come, so that a later call goes on with the rest."""

    def find(self, request_id: str) -> Mapping[str, Any] | None:
        """Return the `status` and the `parsed_error` of a request that the file has as final, or None."""
        ...

    def add(self, record: Mapping[str, Any]) -> None:
        """Write the outcome of one request."""
        ...
