"""Redrive: walk through the dead-letter queue, and examine or redrive each message that the operator chose.

The walk hides the messages that it receives, so that it receives each of them once. At its end it releases those that
were not deleted. A message that fails is reported, and the walk goes on with the next one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.errors import Unavailable
from paydispatch.domain.message.read_message import Malformed
from paydispatch.domain.operators.redrive import Choice, NotExamined, read_parked
from paydispatch.services.redrive_message import (
    Action,
    Examined,
    RedriveOptions,
    carry_out,
    claim_of_parked,
    examine,
    ids_of,
)

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.operators.redrive import Parked
    from paydispatch.services.redrive_message import RedrivePorts

MOST_HELD = 20_000
"""Messages that a walk hides at most. SQS hides at most 120,000 messages of a queue."""

MOST_FAILURES = 3
"""Messages in a row that fail because a store is unavailable, before the walk ends. Each may have cost a timeout."""


@dataclass(slots=True)
class Walk:
    """The report of a walk. It is complete also if the walk fails: its messages were examined or redriven by then."""

    examined: list[Examined] = field(default_factory=list)
    may_be_more: bool = False
    """Whether the walk stopped before the end of the queue."""
    seen: set[str] = field(default_factory=set)
    """The messages that this walk has worked on, by their ids, and the requests that it has sent back, by a hash.

    A walk that begins with those of another walk goes on after it."""
    until: float | None = None
    """Unix seconds after which no further message is begun."""

    @property
    def failed(self) -> int:
        """The number of messages that failed."""
        return sum(one.action is Action.FAILED for one in self.examined)


@dataclass(slots=True)
class _WalkState:
    """The state of a walk."""

    seen: set[str]
    """That of the report."""
    held: dict[str, Parked] = field(default_factory=dict)
    """Received messages that are neither deleted nor released, by their message ids."""
    failures: int = 0
    """Messages in a row that failed because a store is unavailable."""


Work = Callable[[Examined], Awaitable[Examined]]


class Redriver:
    """The service of `paydispatch dlq`."""

    def __init__(self, ports: RedrivePorts, options: RedriveOptions | None = None) -> None:
        self._ports = ports
        self._options = options or RedriveOptions()

    async def examine(
        self, choice: Choice, *, at_most: int, walk: Walk | None = None
    ) -> list[Examined]:
        """Return the chosen messages with their plans. Changes nothing. Raises `Unavailable`."""
        return await self._walk(choice, at_most, _change_nothing, walk or Walk())

    async def redrive(
        self, choice: Choice, *, at_most: int, walk: Walk | None = None
    ) -> list[Examined]:
        """Carry out the plans of the chosen messages, and return them.

        Raises `Unavailable`. `walk` then lists the messages that were worked on. A second redrive is harmless.
        """
        return await self._walk(choice, at_most, self._carry_out, walk or Walk())

    async def _walk(self, choice: Choice, at_most: int, work: Work, walk: Walk) -> list[Examined]:
        state, done = _WalkState(walk.seen), walk.examined
        walk.may_be_more = True

        def is_over() -> bool:
            late = walk.until is not None and self._ports.clock.now_s() >= walk.until
            return late or len(done) >= at_most

        try:
            while not is_over() and (page := await self._receive(state)):
                for parked in page:
                    if not is_over() and parked.message_id not in walk.seen:
                        done += await self._work_safely(parked, choice, work, state)
            walk.may_be_more = is_over() or len(state.held) >= MOST_HELD
        finally:
            await self._ports.dead_letters.release(list(state.held.values()))
        return done

    async def _receive(self, state: _WalkState) -> list[Parked]:
        """Return the next messages, without those that are held already. Empty: the walk ends."""
        if len(state.held) >= MOST_HELD:
            return []
        page = await self._ports.dead_letters.receive()
        fresh = [parked for parked in page if parked.message_id not in state.held]
        state.held |= {parked.message_id: parked for parked in page}
        return fresh

    async def _work_safely(
        self, parked: Parked, choice: Choice, work: Work, state: _WalkState
    ) -> list[Examined]:
        """Work on one message. An error is reported and does not end the walk. The message stays on the queue.

        Empty: the operator did not choose it. Raises `Unavailable` after `MOST_FAILURES`.
        """
        read: Envelope | Malformed = Malformed("message_failed", "", None, None)
        try:
            read = read_parked(parked)
            if not choice.takes(parked, read, self._ports.clock.now_s()):
                return []
            state.seen.add(parked.message_id)
            done = await self._work_on(parked, read, work, state)
        except Unavailable as error:
            state.failures += 1
            if state.failures >= MOST_FAILURES:
                raise
            return [self._report_failure(parked, read, str(error))]
        except Exception as error:
            return [self._report_failure(parked, read, f"internal: {type(error).__name__}")]
        state.failures = 0
        return done

    def _report_failure(self, parked: Parked, read: Envelope | Malformed, why: str) -> Examined:
        failed = Examined(parked, read, None, NotExamined(why), Action.FAILED)
        self._ports.log.warning("message.not_redriven", why=why, **ids_of(failed))
        return failed

    async def _work_on(
        self, parked: Parked, read: Envelope | Malformed, work: Work, state: _WalkState
    ) -> list[Examined]:
        """Examine a message and do `work` on it. Empty: the walk has sent the same request back already."""
        claim = claim_of_parked(self._ports, parked, read)
        identity = _identity(claim) if claim else None
        if identity in state.seen:
            return []  # it was parked again meanwhile, or this is another copy: one try in a walk is enough
        done = await work(await examine(self._ports, self._options, parked, read, claim))
        if done.action in (Action.SENT_BACK, Action.PURGED):
            del state.held[parked.message_id]
        if done.action is Action.SENT_BACK and identity is not None:
            state.seen.add(identity)
        return [done]

    async def _carry_out(self, examined: Examined) -> Examined:
        return await carry_out(self._ports, self._options, examined)


def _identity(claim: Claim) -> str:
    """Return a hash of slot, fingerprint and seal. A stranger's message can equal another one in all but the seal."""
    names = json.dumps([claim.slot, claim.fingerprint, claim.seal])
    return f"sha256:{hashlib.sha256(names.encode()).hexdigest()}"


async def _change_nothing(examined: Examined) -> Examined:
    return examined
