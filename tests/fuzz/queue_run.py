"""The run that spoils queue messages: good and spoilt ones in batches of ten, to the caller's real handler."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.fuzz.api import MOST_FAULTS_SHOWN, TracingLog, shows_key
from tests.fuzz.messages import Messages, Sent
from tests.unit.handlers.conftest import Context
from tests.unit.handlers.test_stripe_caller import record
from tests.unit.services.conftest import Caller

from paydispatch.domain.attempts import Answered
from paydispatch.domain.claims import claim_of
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.message.read_message import Malformed, read_message
from paydispatch.domain.outcomes import Response
from paydispatch.domain.parameters.card_data import hide_card_data_in_text
from paydispatch.domain.text.redaction import redact
from paydispatch.handlers.stripe_caller import work_on
from paydispatch.testing.memory_stripe import MemoryStripe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paydispatch.domain.attempts import Attempt

BATCH = 10
"""The messages of one invocation, as the template sets it."""

LEFT_S = 300


class _Stripe(MemoryStripe):
    """Executes each call."""

    async def call(self, **call: Any) -> Attempt:
        self.calls.append(call)
        return Answered(200, {"id": f"id_{len(self.calls)}", "object": "made"}, "req_1")


@dataclass
class QueueTally:
    """Counts the messages of a run by their ends, and keeps the faults."""

    good: int = 0
    spoilt: int = 0
    batches: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    """The spoilt messages by their end."""
    by_mutation: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def describe(self) -> str:
        ends = "  ".join(f"{end}: {n}" for end, n in self.ends.most_common())
        shown = "".join(f"\n  FAULT {fault}" for fault in self.faults[:MOST_FAULTS_SHOWN])
        return (
            f"queue: {self.good} good and {self.spoilt} spoilt messages, {self.batches} batches, "
            f"{len(self.faults)} faults\n  the spoilt ones ended as {ends}{shown}"
        )


class QueueRun:
    """A queue that gives its messages to the caller in a random order."""

    def __init__(self, seed: int) -> None:
        self._source = random.Random(seed)
        self._caller = Caller()
        self._caller.stripe = _Stripe()
        self._log = self._caller.log = TracingLog()
        self._messages = Messages(self._source, self._caller.sealer)
        self._receives: Counter[str] = Counter()
        self._dead: set[str] = set()
        self._copies = 0
        self._parked: Counter[str] = Counter()
        self._flows: Counter[str] = Counter()
        """The flows by request id that no judged message has accounted for yet."""
        self.tally = QueueTally()

    async def run(self, *, good: int, spoilt: int) -> QueueTally:
        sent = [self._messages.good() for _ in range(good)]
        sent += [self._messages.spoilt() for _ in range(spoilt)]
        self.tally.good, self.tally.spoilt = good, spoilt
        await self._receive_until_empty(sent)
        self._judge(sent)
        return self.tally

    async def _receive_until_empty(self, sent: Sequence[Sent]) -> None:
        waiting = list(sent)
        while waiting:
            self._source.shuffle(waiting)
            kept = [
                await self._receive(waiting[at : at + BATCH])
                for at in range(0, len(waiting), BATCH)
            ]
            waiting = [each for batch in kept for each in batch] + self._due_copies()

    async def _receive(self, batch: Sequence[Sent]) -> Sequence[Sent]:
        """Give one batch to the handler. Return the messages that SQS delivers again."""
        self.tally.batches += 1
        for each in batch:
            self._receives[each.message_id] += 1
        event = {"Records": [self._record(each) for each in batch]}
        caller, ahead_s = self._caller, self._caller.clock.now_s() - time.time()
        context: Any = Context(left_ms=int((ahead_s + LEFT_S) * 1000))
        try:
            answer = await work_on(event, context, caller.service(), caller.log)
        except Exception as error:
            self.tally.faults.append(f"a batch raised {error!r}: {[each.how for each in batch]}")
            return []
        names = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        if len(batch) == BATCH and len(names) == BATCH:
            self.tally.faults.append(f"a batch failed whole: {[each.how for each in batch]}")
        kept = [each for each in batch if each.message_id in names]
        given_up = {each.message_id for each in kept if self._is_last(each)}
        self._dead |= given_up  # SQS moves them to the dead-letter queue
        return [each for each in kept if each.message_id not in given_up]

    def _record(self, each: Sent) -> dict[str, Any]:
        made = record(each.message_id, each.body, receive_count=self._receives[each.message_id])
        made["attributes"]["SentTimestamp"] = str(int(self._caller.clock.now_s() * 1000))
        return made

    def _is_last(self, each: Sent) -> bool:
        return self._receives[each.message_id] >= self._caller.max_receives

    def _due_copies(self) -> list[Sent]:
        """Return the deferred copies, after the longest of their delays."""
        copies, self._caller.queue.deferred[:] = list(self._caller.queue.deferred), []
        self._caller.clock.advance(max((delay_s for _, delay_s in copies), default=0))
        self._copies += len(copies)
        return [
            Sent(f"copy-{self._copies}-{n}", copy.as_message(), "copy")
            for n, (copy, _) in enumerate(copies)
        ]

    # The end of each message

    def _judge(self, sent: Sequence[Sent]) -> None:
        ended = Counter(entry.request_id for entry in self._caller.outcomes.entries)
        responses = {
            entry.request_id
            for entry in self._caller.outcomes.entries
            if isinstance(entry.outcome, Response)
        }
        posts = Counter(call["request_id"] for call in self._caller.stripe.calls)
        self._parked = Counter(text for text, _, _ in self._caller.queue.parked)
        self._flows, ends = ended.copy(), dict[str, str]()
        for each in sorted(
            sent, key=lambda one: one.how != "good"
        ):  # the flow of a good id is the good message's
            request_id = self._request_id(each)
            # Equal bytes are one request with one end, because the id of an unreadable message follows from its bytes.
            end = ends[each.body] = ends.get(each.body) or self._end(each, request_id, responses)
            if each.how != "good":
                self.tally.ends[end] += 1
                self.tally.by_mutation[each.how] += 1
            elif end != "a response flow" or ended[request_id] != 1 or posts[request_id] != 1:
                self._fault(f"a good message ended as {end}, with {posts[request_id]} POSTs", each)
        self.tally.faults += self._faults_everywhere(posts)

    def _end(self, each: Sent, request_id: str | None, responses: set[str]) -> str:
        """Return how a message ended. One parked message or one flow is the end of one message only."""
        if each.message_id in self._dead or self._take(self._parked, self._parked_text(each)):
            return "dead-lettered"
        # Before the id that it names, because the flow of that id belongs to another message.
        if self._take(self._flows, self._second_id(each)):
            return "an error flow"
        if request_id is not None and self._take(self._flows, request_id):
            return "a response flow" if request_id in responses else "an error flow"
        self._fault("a message is lost", each)
        return "lost"

    def _second_id(self, each: Sent) -> str:
        """Return the id under which the error flow runs if another request has the id of this message."""
        read = self._read(each)
        if not isinstance(read, Envelope):
            return ""
        return claim_of(read, self._caller.queue_tenant, 0.0).as_second_request().request_id

    @staticmethod
    def _take(left: Counter[str], name: str) -> bool:
        """Take one of that name away. Return whether there was one."""
        found = left[name] > 0
        left[name] -= found
        return found

    def _read(self, each: Sent) -> Envelope | Malformed:
        return read_message(
            each.body, message_id=each.message_id, sent_at=self._caller.clock.now_s()
        )

    def _request_id(self, each: Sent) -> str | None:
        """Return the id under which a flow of this message runs. None: the message has no readable address."""
        read = self._read(each)
        if isinstance(read, Envelope):
            return read.request_id
        return None if read.address is None else read.address.request_id

    def _parked_text(self, each: Sent) -> str:
        """Return the text with which the caller parks this message."""
        read = self._read(each)
        if isinstance(read, Envelope):
            return read.as_message()
        return hide_card_data_in_text(redact(each.body))

    def _faults_everywhere(self, posts: Counter[str]) -> Iterator[str]:
        for request_id, number in posts.items():
            if number > 1:
                yield f"{request_id} was posted {number} times"
        if self._log.counts["MessageFailed"]:
            failed = self._log.counts["MessageFailed"]
            yield f"an exception in {failed} receives, of which the last was {self._log.trace}"
        if shows_key(self._caller.observable()):
            yield "the key is shown"

    def _fault(self, fault: str, each: Sent) -> None:
        self.tally.faults.append(f"{fault} ({each.how}, {each.message_id}): {each.body[:600]!r}")
