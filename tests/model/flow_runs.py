"""The second half of the protocol on a stage: outcomes on a stream → flow runners → flows and their follow-ups."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.model.stage import Move, Process, Stage, at_once
from tests.unit.examples import entry

from paydispatch.domain.errors import ScriptFailed, Unavailable
from paydispatch.domain.flow_retry import Retry
from paydispatch.domain.identity.request_ids import OutcomeKind, follow_up_request_id
from paydispatch.domain.outcomes import Response
from paydispatch.flow import RetryLater
from paydispatch.services.flow_runs.ports import FlowPolicy, FlowPorts
from paydispatch.services.run_flows import FlowRunner
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_inbox import MemoryInbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.model.choices import Choices

    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.envelope import Envelope
    from paydispatch.domain.outcomes import ErrorKind
    from paydispatch.flow import Flow
    from paydispatch.ports import Postponement, Turn

MAX_AT_ONCE = 2
POLICY = FlowPolicy(timeout_s=0.5, retry=Retry(attempts=3))
LEASE_S = 40.0


@dataclass(frozen=True, kw_only=True)
class FlowScenario:
    name: str
    entries: tuple[tuple[str, str], ...]
    """(request id, context id), in the order of their publication."""
    script: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """{gate: the default ways of its first calls}"""


class FlowRuns(Stage):
    def __init__(self, scenario: FlowScenario, choices: Choices) -> None:
        super().__init__(choices, scenario.script)
        self.inbox = MemoryInbox(self.clock, lease_s=LEASE_S)  # type: ignore[arg-type]
        self.log = MemoryEventLog()
        self.contexts: dict[str, list[str]] = {}
        self.running: dict[str, Process] = {}
        """{context: the process that runs one of its flows}"""
        self.returned: Counter[tuple[str, str]] = Counter()
        """{(request id, flow name): the number of completed runs}"""
        self.sent: set[str] = set()
        self.changes = 0
        self._looked: tuple[float, int] | None = None
        self._runners: list[Process] = []
        for request_id, context_id in scenario.entries:
            self.contexts.setdefault(context_id, []).append(request_id)
            self.inbox.put(entry(request_id=request_id, context_id=context_id))

    # --- moves other than the calls

    def other_moves(self, timeout_s: float | None) -> Iterator[Move]:
        self._runners = [process for process in self._runners if process.alive]
        waiting = bool(self.inbox.unfinished_entries())
        if waiting and len(self._runners) < MAX_AT_ONCE and self._looked != self._state:
            yield Move("a runner looks", self._look)
        if not self.gates:
            yield from self.late_moves()
        if timeout_s is not None or waiting:
            wait_s = LEASE_S / 4 if timeout_s is None else timeout_s
            yield Move("time passes", lambda: self.loop.advance(wait_s))

    @property
    def _state(self) -> tuple[float, int]:
        return self.clock.now_s(), self.changes

    def _look(self) -> None:
        self._looked = self._state
        process = Process(f"runner-{sum(1 for line in self.choices.story if 'looks' in line)}")
        self._runners.append(process)
        self.start(process, self._drain(process))

    async def _drain(self, process: Process) -> None:
        ports = FlowPorts(
            inbox=GatedInbox(self, process),
            scripts=GatedScripts(self, process),
            queue=GatedSends(self, process),
            queue_tenant="local",
            clock=self.clock,
            log=self.log,
            fraction=lambda: 0.5,
        )
        with contextlib.suppress(Unavailable):  # the next runner continues
            await FlowRunner(ports, POLICY).drain("worker-1")
        process.alive = False

    def kill(self, process: Process) -> None:
        super().kill(process)
        self.running = {c: who for c, who in self.running.items() if who is not process}

    # --- invariants

    def check(self) -> None:
        waiting = {each.request_id for each in self.inbox.unfinished_entries()}
        for request_id in (id_ for ids in self.contexts.values() for id_ in ids):
            assert request_id in waiting or self.has_ended(request_id), f"{request_id} is lost"

    def check_rest(self) -> None:
        assert not self.inbox.unfinished_entries()

    def has_ended(self, request_id: str) -> bool:
        """Return whether a flow of the request completed, or its last outcome is on the dead stream."""
        ran = any(id_ == request_id for id_, _ in self.returned)
        dead = [e for e, _ in self.inbox.dead if e.request_id == request_id]
        return ran or any(not isinstance(e.outcome, Response) for e in dead)

    def check_begin(self, flow: Flow) -> None:
        ids = self.contexts[flow.context_id]
        before = ids[: ids.index(flow.request_id)]
        if not all(map(self.has_ended, before)):
            self.broken.append(f"{flow.request_id} runs before {before} ended")
        if flow.context_id in self.running:
            self.broken.append(f"two flows of {flow.context_id} run at once")

    def check_finish(self, turn: Turn) -> None:
        """Check at the acknowledgement that the flow ran and its follow-ups were sent."""
        ran = (turn.entry.request_id, turn.entry.flow_name) in self.returned
        assert ran, f"{turn.entry.request_id} is acknowledged, but its flow did not run"
        end = (
            OutcomeKind.SETTLED
            if isinstance(turn.entry.outcome, Response)
            else OutcomeKind.FLOW_FAILED
        )
        followed = follow_up_request_id(turn.entry.request_id, 1, end) in self.sent
        assert followed, f"{turn.entry.request_id} is acknowledged before its follow-ups are sent"


class GatedInbox:
    def __init__(self, stage: FlowRuns, process: Process) -> None:
        self._stage = stage
        self._process = process
        self._twin = stage.inbox

    async def take(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        def take() -> list[Turn]:
            fresh = at_once(self._twin.take(worker_id, at_most=at_most))
            left = at_most - len(fresh)
            return [*fresh, *at_once(self._twin.take_abandoned(worker_id, at_most=left))]

        turns: Sequence[Turn] = await self._gate("take", take, changes=0)
        return turns

    async def take_abandoned(self, worker_id: str, *, at_most: int) -> Sequence[Turn]:
        """Return nothing, because `take` also returns the abandoned entries: one call can fail instead of two."""
        return ()

    async def renew(self, turn: Turn, for_s: float) -> bool:
        return bool(await self._gate("renew", lambda: at_once(self._twin.renew(turn, for_s))))

    async def finish(self, turn: Turn, *, take_next: bool) -> Turn | None:
        def finish() -> Any:
            self._stage.check_finish(turn)
            return at_once(self._twin.finish(turn, take_next=take_next))

        following: Turn | None = await self._gate("finish", finish)
        return following

    async def postpone(self, turn: Turn, delay_s: float, why: Postponement) -> None:
        def postpone() -> Any:
            return at_once(self._twin.postpone(turn, delay_s, why))

        await self._gate("postpone", postpone)

    async def missing_since(self, turn: Turn) -> float:
        return float(
            await self._gate("missing_since", lambda: at_once(self._twin.missing_since(turn)))
        )

    async def move_to_dead_stream(
        self, turn: Turn, *, reason: str, successor: OutcomeEntry | None, take_next: bool
    ) -> Turn | None:
        def move() -> Any:
            return at_once(
                self._twin.move_to_dead_stream(
                    turn, reason=reason, successor=successor, take_next=take_next
                )
            )

        following: Turn | None = await self._gate("move_to_dead_stream", move)
        return following

    async def _gate(self, name: str, call: Any, *, changes: int = 1) -> Any:
        def count_change() -> Any:
            self._stage.changes += changes
            return call()

        ways = self._stage.ways(self._process, f"inbox.{name}", count_change)
        return await self._stage.call(self._process, f"inbox.{name}", ways)


class GatedScripts:
    """Scripts with one flow that dispatches a create. The scheduler chooses how the flow ends."""

    def __init__(self, stage: FlowRuns, process: Process) -> None:
        self._stage = stage
        self._process = process
        self._loaded: set[str] = set()

    def has(self, name: str) -> bool:
        return name.startswith("new_")

    def is_loaded(self, name: str) -> bool:
        return name in self._loaded

    def retry_of(self, name: str) -> None:
        return None

    async def load(self, name: str) -> None:
        ways = {"done": lambda: None, "fails": _fail, "killed": self._die}
        await self._stage.call(self._process, "flow.load", ways)
        self._loaded.add(name)

    def _die(self) -> None:
        self._stage.kill(self._process)

    async def run(self, name: str, argument: Any, flow: Flow) -> None:
        stage = self._stage
        stage.check_begin(flow)
        stage.running[flow.context_id] = self._process
        try:
            end = await stage.call(self._process, "flow.run", self._ends())
            await self._end(end, name, flow)
        finally:
            if self._process.alive:
                stage.running.pop(flow.context_id, None)

    def _ends(self) -> dict[str, Any]:
        ends = {end: (lambda e=end: e) for end in ("returns", "raises", "later", "hangs")}
        return {**ends, "killed": self._die}

    async def _end(self, end: str, name: str, flow: Flow) -> None:
        if end == "hangs":
            await asyncio.get_running_loop().create_future()
        if end == "raises":
            _fail()
        if end == "later":
            raise RetryLater(after_s=60)
        flow.new_product().name("Tea").create_async()
        self._stage.returned[flow.request_id, name] += 1


def _fail() -> None:
    raise ScriptFailed("it raised")


class GatedSends:
    def __init__(self, stage: FlowRuns, process: Process) -> None:
        self._stage = stage
        self._process = process

    async def send(self, envelopes: Sequence[Envelope]) -> None:
        def send() -> None:
            self._stage.sent |= {envelope.request_id for envelope in envelopes}

        ways = self._stage.ways(self._process, "queue.send", send)
        await self._stage.call(self._process, "queue.send", ways)

    async def defer(self, envelope: Envelope, delay_s: float) -> None:
        raise NotImplementedError

    async def park(self, body: str, *, reason: str, kind: ErrorKind) -> None:
        raise NotImplementedError


def play_flows(scenario: FlowScenario, choices: Choices) -> FlowRuns:
    """Make one run of a scenario. Raises `AssertionError` when an invariant breaks."""
    stage = FlowRuns(scenario, choices)
    stage.play()
    stage.check()
    stage.check_rest()
    return stage
