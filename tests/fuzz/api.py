"""The API's real handler over in-memory ports, with a check of each answer and a tally of all."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.unit.examples import KEY
from tests.unit.handlers.conftest import Client, Context

from paydispatch.domain.envelope import Envelope
from paydispatch.domain.message.read_message import read_message
from paydispatch.domain.parameters.check import check_params
from paydispatch.local.lambdas.http_event import http_response
from paydispatch.testing.memory_event_log import MemoryEventLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECRET_PART = KEY.removeprefix("sk_test_")
_BEGINNING = "_" + _SECRET_PART[:4]

MOST_FAULTS_SHOWN = 20


def shows_key(text: str) -> bool:
    """Return whether a text shows the key's secret part, or where it begins.

    The end of a key that a run itself split by another character does not count: no rule can know it for a key.
    """
    return _SECRET_PART in text or _BEGINNING in text


@dataclass
class Tally:
    """What a run saw: the number of cases by status, and a description of each fault."""

    statuses: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    """The calls of the document of which no case can be made, such as invalid cases of a call without parameters."""
    envelopes: int = 0
    """The accepted requests, each of which was found valid."""

    @property
    def cases(self) -> int:
        return self.statuses.total()

    def describe(self, name: str) -> str:
        by_status = "  ".join(f"{status}: {n}" for status, n in sorted(self.statuses.items()))
        shown = "".join(f"\n  FAULT {fault}" for fault in self.faults[:MOST_FAULTS_SHOWN])
        return (
            f"{name}: {self.cases} cases, {len(self.faults)} faults, "
            f"{self.envelopes} valid requests on the queue\n  {by_status}{shown}"
        )


class TracingLog(MemoryEventLog):
    """A log that keeps the trace of the last fault of paydispatch itself, because neither answer nor line shows it."""

    trace = ""

    def warning(self, event: str, **fields: Any) -> None:
        if event in ("api.fault", "message.failed"):
            self.trace = traceback.format_exc(limit=-4)
        super().info(event, **fields)


class FuzzedApi:
    """Sends events to the handler. A fault is noted and does not end the run."""

    def __init__(self, *, takes_foreign: bool = False) -> None:
        """`takes_foreign`: events come that no caller can cause. The answer to those is 501."""
        self._takes_foreign = takes_foreign
        self._client = Client()
        self._log = self._client.log = TracingLog()
        self._api = self._client.api()
        self.tally = Tally()

    def send(self, event: Any) -> dict[str, Any] | None:
        """Send one event, check its answer, and return it. None: the handler raised."""
        self._log.trace = ""
        try:
            answer = self._api.answer(event, Context())  # type: ignore[arg-type]
        except Exception:
            self.tally.statuses["raised"] += 1
            self.note("raised", event, traceback.format_exc(limit=-3))
            return None
        self.tally.statuses[str(answer["statusCode"])] += 1
        for fault in self._faults(event, answer):
            self.note(fault, event, self._log.trace)
        self._forget()
        return answer

    def _faults(self, event: Any, answer: Mapping[str, Any]) -> Iterator[str]:
        response = http_response(answer)  # raises if API Gateway would answer 500 instead
        said = json.loads(response.body)
        if response.status >= 500 and not (response.status == 501 and self._takes_foreign):
            yield f"status {response.status}"
        if response.status >= 400 and not {"type", "code", "message"} <= said["error"].keys():
            yield "the error has not Stripe's shape"
        if shows_key(answer["body"]) or shows_key(repr(self._log.lines)):
            yield "the key is shown"
        if "Traceback" in answer["body"]:
            yield "a stack trace is shown"
        yield from self._faults_on_the_queue()

    def _faults_on_the_queue(self) -> Iterator[str]:
        """Check each accepted request as the Stripe caller will: its envelope, then its parameters."""
        for envelope in self._client.queue.sent:
            self.tally.envelopes += 1
            message = envelope.as_message()
            read = read_message(message, message_id="m-1", sent_at=self._client.clock.now_s())
            if not isinstance(read, Envelope):
                yield f"an accepted request is no envelope: {read.message}"
            elif check_params(read.operation, read.params, read.unchecked_params):
                yield "an accepted request has invalid parameters"
            if shows_key(message):
                yield "the key is on the queue"

    def note(self, fault: str, event: Any, trace: str) -> None:
        self.tally.faults.append(f"{fault}: {repr(event)[:1500]}\n{trace}")

    def _forget(self) -> None:
        """Keep memory constant over a long run. The claims stay, so that repeats of a key are replays."""
        self._client.queue.sent.clear()
        self._log.lines.clear()
