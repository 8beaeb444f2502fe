"""The first half of the protocol on a stage: queue → Stripe callers → Stripe, Redis, dead-letter queue."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.model.caller_ports import ports_of, reconcile_ports_of
from tests.model.model_queue import ModelQueue, as_received
from tests.model.model_stripe import ENDINGS, ModelStripe
from tests.model.stage import Move, Process, Stage
from tests.model.virtual_time import START_S
from tests.unit.examples import PARAMS, SECRET_REF

from paydispatch.adapters.memory import MemoryJournal, MemoryOutcomes
from paydispatch.domain.envelope import Envelope
from paydispatch.domain.outcomes import Error, Response
from paydispatch.domain.retry import Progress
from paydispatch.domain.units import HORIZON_S
from paydispatch.services.batch import BatchDispatch
from paydispatch.services.dispatch import MARK
from paydispatch.services.reconcile import Reconciler

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.model.choices import Choices
    from tests.model.model_queue import Queued
    from tests.model.model_stripe import Execution

    from paydispatch.services.batch import Message

LAST_LOOK = "reconciler looks a day later"
INVOCATION_S = 30.0
MOST_AT_ONCE = 2
DAY_S = 24 * 3600.0
GUARD_SLACK_S = INVOCATION_S
"""Between the look at the clock and the arrival at Stripe lies at most an invocation."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Where a run begins. Everything else is the scheduler's choice."""

    name: str
    messages: tuple[str, ...]
    """Bodies on the queue."""
    requests: tuple[str, ...] = ("pdr_1",)
    receives: int = 0
    """How often they have been given out already: by workers that died before they did anything."""
    batch_size: int = 1
    script: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """{gate: the ways its first calls end by default}"""
    ending: str = "created"
    """How Stripe's executions end by default."""
    redrive_after_s: tuple[float, ...] = (0.0,)
    """How long after all is quiet an operator redrives the dead-letter queue, time after time."""
    told: tuple[str, ...] = ("created",)
    """What the flows of each request are told in the run without deviations."""


def told(stage: Callers, request_id: str) -> tuple[str, ...]:
    """`created`, `not_created` or `unknown`, in the order in which they were published."""
    ends = [each.outcome for each in stage.outcomes.entries if each.request_id == request_id]
    return tuple("created" if isinstance(end, Response) else end.certainty.value for end in ends)


def message(
    request_id: str = "pdr_1",
    *,
    deadline_s: float = 6 * 3600.0,
    attempt: int = 1,
    first_sent_s: float | None = None,
) -> str:
    """`first_sent_s`: what it says of the first POST, in seconds from the start."""
    first_sent_at = None if first_sent_s is None else START_S + first_sent_s
    envelope = Envelope(
        request_id=request_id,
        object="payment_intent",
        params=PARAMS,
        worker_id="worker-1",
        context_id="context-1",
        accepted_at=START_S,
        progress=Progress(
            deadline_at=START_S + deadline_s, attempt=attempt, first_sent_at=first_sent_at
        ),
        secret_ref=SECRET_REF,
    )
    return envelope.as_message()


class Callers(Stage):
    """One run of a scenario. The invariants are in `check` (always) and `check_rest` (when all is quiet)."""

    def __init__(self, scenario: Scenario, choices: Choices) -> None:
        super().__init__(choices, scenario.script)
        self.scenario = scenario
        self.stripe = ModelStripe(self.clock, self.loop)
        self.queue = ModelQueue(self.clock.now_s)
        self.outcomes = MemoryOutcomes(self.clock)  # type: ignore[arg-type]
        self.journal = MemoryJournal()
        self._invocations: list[Process] = []
        self._redrives = list(scenario.redrive_after_s)
        self._duplicates = self._idle_days = self._early_looks = self._last_looks = 1
        for body in scenario.messages:
            self.queue.send(body, receives=scenario.receives)

    # --- what can happen beside the calls

    def servers_moves(self) -> list[list[Move]]:
        return [self._endings(execution) for execution in self.stripe.executing]

    def other_moves(self, timeout_s: float | None) -> Iterator[Move]:
        if len(self._working) < MOST_AT_ONCE:
            yield from self._deliveries()
        yield from self._time_passing(timeout_s)
        yield from self._operator_at_last(timeout_s)
        yield from self._oddities()

    def _endings(self, execution: Execution) -> list[Move]:
        default = self.scenario.ending
        order = [default, *(ending for ending in ENDINGS if ending != default)]
        return [
            Move(f"stripe ends: {ending}", lambda e=ending: self.stripe.finish(execution, e))  # type: ignore[misc]
            for ending in order
        ]

    def _deliveries(self) -> Iterator[Move]:
        visible = self.queue.visible()[: self.scenario.batch_size]
        if visible:
            yield Move("queue delivers", lambda: self._deliver(visible))
        if len(visible) > 1:
            yield Move("queue delivers the last", lambda: self._deliver(visible[-1:]))

    def _time_passing(self, timeout_s: float | None) -> Iterator[Move]:
        now_s = self.clock.now_s()
        waits = [timeout_s, self.queue.next_visible_in_s()]
        waits += [execution.ends_by - now_s for execution in self.stripe.executing]
        known = [wait for wait in waits if wait is not None]
        if known and min(known) > 0:
            yield Move("time passes", lambda: self.loop.advance(min(known)))

    def _operator_at_last(self, timeout_s: float | None) -> Iterator[Move]:
        if self._quiet(timeout_s) and self.queue.dead and self._redrives:
            yield Move("operator redrives", self._redrive_later)
        elif self._quiet(timeout_s) and self.outcomes.unknown and self._last_looks:
            yield Move(LAST_LOOK, self._look_at_last)

    def _oddities(self) -> Iterator[Move]:
        if self._duplicates and len(self._working) < MOST_AT_ONCE:
            for queued in self.queue.messages.values():
                if queued.receives and queued.visible_at > self.clock.now_s():
                    yield Move("queue delivers a duplicate", lambda q=queued: self._duplicate(q))  # type: ignore[misc]
        if self._idle_days and self.queue.messages and not self._busy:
            yield Move("nobody works for a day", self._idle_day)
        if self.queue.dead and self._redrives:
            yield Move("operator redrives early", self.queue.redrive)
        if self._early_looks and self._last_looks and self.outcomes.unknown:
            yield Move("reconciler looks early", self._look_early)

    def _quiet(self, timeout_s: float | None) -> bool:
        return timeout_s is None and not self.gates and not self.queue.messages

    @property
    def _busy(self) -> bool:
        return bool(self._working or self.stripe.executing)

    @property
    def _working(self) -> list[Process]:
        self._invocations = [process for process in self._invocations if process.alive]
        return self._invocations

    def _deliver(self, queued: Sequence[Queued]) -> None:
        received = [self.queue.receive(each) for each in queued]
        self._invoke([each for each in received if each is not None])

    def _duplicate(self, queued: Queued) -> None:
        """At-least-once delivery: the message is in hand already, and SQS gives it out once more."""
        self._duplicates -= 1
        self._invoke([as_received(queued)])

    def _redrive_later(self) -> None:
        self.loop.advance(self._redrives.pop(0))
        self.queue.redrive()

    def _idle_day(self) -> None:
        self._idle_days -= 1
        self.loop.advance(DAY_S)

    def _look_early(self) -> None:
        self._early_looks -= 1
        self._reconcile()

    def _look_at_last(self) -> None:
        """The schedule looks all the time; the last look is the one that decides."""
        self._last_looks -= 1
        self.loop.advance(DAY_S)
        self._reconcile()

    def _reconcile(self) -> None:
        process = Process(f"reconciler-{2 - self._early_looks - self._last_looks}")
        self.start(process, self._reconciling(process))

    async def _reconciling(self, process: Process) -> None:
        await Reconciler(reconcile_ports_of(self, process)).reconcile(["worker-1"])
        process.alive = False

    def _invoke(self, messages: list[Message]) -> None:
        if not messages:
            return
        number = sum(1 for line in self.choices.story if "delivers" in line)
        process = Process(f"caller-{number}")
        self._invocations.append(process)
        self.loop.call_later(INVOCATION_S, self._time_out, process)
        self.start(process, self._handle(process, messages))

    def _time_out(self, process: Process) -> None:
        """Lambda kills what takes too long. A store may be as slow as that; Stripe is not waited for till then."""
        if process.alive and process.calling:
            self.broken.append(f"{process.name} waited for Stripe until it was killed")
        self.kill(process)

    async def _handle(self, process: Process, messages: list[Message]) -> None:
        """What Lambda does around the handler: work, then delete what was let go of."""
        service = BatchDispatch(ports_of(self, process), max_receives=5)
        kept = await service.dispatch(messages, ends_at=self.clock.now_s() + INVOCATION_S)
        assert not kept or process.troubled, f"{kept} kept, though every store was there"
        done = [each.message_id for each in messages if each.message_id not in kept]
        if done:
            ways = {
                "done": lambda: self.queue.delete(done),
                "killed before": lambda: self.kill(process),
            }
            await self.call(process, "queue.delete", ways)
        process.alive = False

    # --- what must hold

    def check(self) -> None:
        for request_id in self.scenario.requests:
            self._check_verdicts(request_id)
            self._check_not_lost(request_id)

    def _check_verdicts(self, request_id: str) -> None:
        made = self.stripe.objects_of(request_id)
        assert len(made) <= 1, f"{request_id}: {len(made)} objects at Stripe"
        marked = all(each.params["metadata"].get(MARK) == request_id for each in made)
        assert marked, f"{request_id}: made without a mark"
        ends = self._ends(request_id)
        assert len({end.settled for end in ends}) == len(ends), f"{request_id}: told twice: {ends}"
        for end in ends:
            created = isinstance(end, Response)
            other = created and [each.id for each in made] != [end.body["id"]]
            assert not other, f"{request_id}: told as created, and is not"
            wrong = isinstance(end, Error) and end.settled and made
            assert not wrong, f"{request_id}: told as not created, and is"

    def _check_not_lost(self, request_id: str) -> None:
        settled = any(end.settled for end in self._ends(request_id))
        held = self.queue.holds(request_id) or self.queue.dead_holds(request_id)
        assert settled or held, f"{request_id} is lost"

    def check_rest(self) -> None:
        """When nothing can happen any more: settled, or unknown, told so and parked."""
        for request_id in self.scenario.requests:
            ends = self._ends(request_id)
            assert ends, f"{request_id}: nobody was ever told"
            known = any(end.settled for end in ends)
            listed = ("worker-1", request_id) in self.outcomes.unknown
            assert known or listed, f"{request_id}: unknown, and nobody looks for it"
            sure = known or self._last_look_disturbed
            assert sure, (
                f"{request_id}: still unknown after a day, and nothing kept the look from it"
            )

    @property
    def _last_look_disturbed(self) -> bool:
        looks = [n for n, move in enumerate(self.choices.story) if LAST_LOOK in move]
        return any(move.startswith("*") for n in looks for move in self.choices.story[n + 1 :])

    def check_post(self, process: Process, request_id: str) -> None:
        """At the moment a POST leaves."""
        first = min(self.stripe.posts.get(request_id, [self.clock.now_s()]))
        age_s = self.clock.now_s() - first
        if age_s >= HORIZON_S + GUARD_SLACK_S:
            self.broken.append(f"{request_id}: POST under a key {age_s / 3600:.1f} h old")
        if not process.begun[request_id]:
            self.broken.append(f"{request_id}: POST while Redis could not be reached")
        process.begun[request_id] -= 1

    def check_park(self, request_id: str) -> None:
        assert self._ends(request_id), f"{request_id} was parked before anybody was told"

    def _ends(self, request_id: str) -> list[Any]:
        return [e.outcome for e in self.outcomes.entries if e.request_id == request_id]


def play(scenario: Scenario, choices: Choices) -> Callers:
    """Make one run of a scenario. Raises `AssertionError` when an invariant breaks."""
    stage = Callers(scenario, choices)
    stage.play()
    stage.check()
    stage.check_rest()
    return stage
