"""What every adapter test makes: entries, envelopes, a clock that stands still, a journal to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.memory import MemoryClock, MemoryJournal
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind, Response
from paydispatch.domain.retry import Progress

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def entry(clock: MemoryClock) -> Callable[..., OutcomeEntry]:
    """`entry("r1")` ends in a response, `entry("r1", unknown=True)` in doubt."""

    def make(
        request_id: str, context_id: str = "c1", *, unknown: bool = False, **changed: Any
    ) -> OutcomeEntry:
        fields = {
            "object": "product",
            "worker_id": "w1",
            "params": {"name": "Tea"},
            "outcome": doubt() if unknown else Response(body={"id": "prod_1"}, attempts=1),
            "settled_at": clock.now_s(),
        }
        return OutcomeEntry(request_id=request_id, context_id=context_id, **{**fields, **changed})

    return make


@pytest.fixture
def envelope(clock: MemoryClock) -> Callable[..., Envelope]:
    def make(request_id: str = "r1", **changed: Any) -> Envelope:
        fields = {
            "object": "product",
            "params": {"name": "Tea"},
            "worker_id": "w1",
            "context_id": "c1",
            "accepted_at": clock.now_s(),
            "progress": Progress(deadline_at=clock.now_s() + 3600),
            "sealed_secret": "1.sealed",
        }
        return Envelope(request_id=request_id, **{**fields, **changed})

    return make


def doubt() -> Error:
    return Error(
        kind=ErrorKind.HTTP, message="no answer", attempts=3, certainty=Certainty.UNKNOWN
    )
