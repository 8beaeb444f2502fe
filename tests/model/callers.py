"""The first half of the protocol on a stage: ways in → queue → Stripe callers → Stripe, Redis, dead-letter queue."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.model.asks import QUEUE_TENANT, SHOP, Ask, identify
from tests.model.caller_ports import DAY_S, FROZEN_S, ports_of
from tests.model.invariants import Invariants
from tests.model.model_queue import MAX_RECEIVES, ModelQueue
from tests.model.model_redis import ModelRedis
from tests.model.model_stripe import ACME_KEY, ENDINGS, MALLORY_KEY, SHOP_KEY, ModelStripe
from tests.model.operators import reconcile, redrive
from tests.model.stage import Move, Process, Stage
from tests.model.ways_in import dispatch, post

from paydispatch.services.call_batch import BatchCall
from paydispatch.testing.memory_event_log import MemoryEventLog
from paydispatch.testing.memory_sealing import MemorySealer, MemoryVault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.model.choices import Choices
    from tests.model.model_queue import Queued
    from tests.model.model_stripe import Execution

    from paydispatch.domain.claims import Claim, Send
    from paydispatch.services.call_batch import Message

INVOCATION_S = 30.0
MAX_AT_ONCE = 2
QUARTER_S, MEMORY_S = 900.0, 25 * DAY_S


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The start of a run. Everything else is the scheduler's choice."""

    name: str
    asks: tuple[Ask, ...] = ()
    """Requests with their messages on the queue."""
    dispatched: tuple[Ask, ...] = ()
    """Requests that a program dispatches with the SDK."""
    posted: tuple[Ask, ...] = ()
    """Requests that a client posts to the API."""
    repeated: tuple[Ask, ...] = ()
    """Requests that clients post again, each by its first id, when nothing else is left to do, or earlier."""
    poison: tuple[str, ...] = ()
    """Message bodies that cannot be attributed to a request."""
    receives: int = 0
    """How often the messages were received before the run, by callers that died before their first step."""
    batch_size: int = 1
    script: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """{gate: the default ways of its first calls}"""
    ending: str = "created"
    """The default ending of Stripe's executions."""
    secret: str = SHOP_KEY
    """The Stripe key in the queue tenant's secret."""
    repointed_to: tuple[str, ...] = ()
    """Later keys of the secret, in order. Each change may come at any time."""
    jumps_s: tuple[float, ...] = (DAY_S, QUARTER_S, MEMORY_S)
    """Spans of time that may pass while no process runs, each once."""
    redrive_after_s: tuple[float, ...] = (0.0,)
    """The delays between the moment when all is quiet and each redrive by an operator."""
    outcomes: tuple[tuple[str, ...], ...] = ()
    """The outcomes of each request in the run without deviations. Empty: each is created."""

    @property
    def requests(self) -> tuple[Ask, ...]:
        """Each request once, and for each repeated one its first repeat, which the API may refuse to make."""
        repeats = [ask.as_repeat() for ask in self.repeated]
        return (*self.asks, *self.dispatched, *self.posted, *repeats)

    @property
    def expected_outcomes(self) -> tuple[tuple[str, ...], ...]:
        return self.outcomes or (("created",),) * len(self.requests)


class Callers(Invariants, Stage):
    """One run of a scenario, checked by `Invariants`."""

    def __init__(self, scenario: Scenario, choices: Choices) -> None:
        Stage.__init__(self, choices, scenario.script)
        self.scenario = scenario
        self.stripe = ModelStripe(self.clock, self.loop)
        self.queue = ModelQueue(self.clock.now_s)
        self.redis = ModelRedis(self.clock)
        self.log = MemoryEventLog()
        self.sealer = MemorySealer()
        self._secrets = {
            (QUEUE_TENANT, SHOP): scenario.secret,
            ("acme", SHOP): ACME_KEY,
            ("mallory", SHOP): MALLORY_KEY,
        }
        self.vault = MemoryVault(self.sealer, self._secrets)
        Invariants.__init__(self)
        self._invocations: list[Process] = []
        self._operators: list[Process] = []
        self._deaths: dict[Process, asyncio.TimerHandle] = {}
        self._redrives = list(scenario.redrive_after_s)
        self._repointed_to = list(scenario.repointed_to)
        self._repeated = list(scenario.repeated)
        self._jumps_s = list(scenario.jumps_s)
        self._duplicates = self._throttles = self._early_looks = self._last_looks = 1
        self.last_look_at: int | None = None
        """The step at which the last reconciler run began."""
        for ask in scenario.asks:
            body = ask.message(self.sealer)
            self.queue.send(body, receives=scenario.receives)
            self.accept(ask, body)
        for body in scenario.poison:
            self.queue.send(body)
        for number, ask in enumerate(scenario.dispatched, start=1):
            program = Process(f"program-{number}")
            self.start(program, dispatch(self, program, ask))
        for number, ask in enumerate(scenario.posted, start=1):
            client = Process(f"client-{number}")
            self.start(client, post(self, client, ask))

    # --- moves other than the calls

    def servers_moves(self) -> list[list[Move]]:
        return [self._moves_to_end(execution) for execution in self.stripe.executing]

    def other_moves(self, timeout_s: float | None) -> Iterator[Move]:
        if len(self._working) < MAX_AT_ONCE:
            yield from self._delivery_moves()
        if not self._is_busy:
            yield from self.late_moves()
        yield from self._time_moves(timeout_s)
        if (
            self._is_quiet(timeout_s)
            and self.queue.dead
            and (self._redrives or self._has_unpublished_dead_letter())
        ):
            yield Move("operator redrives", self._redrive_later)
        elif self._is_quiet(timeout_s) and self.redis.outcomes.unknown and self._last_looks:
            yield Move("reconciler looks a day later", self._look_at_last)
        elif self._is_quiet(timeout_s) and self._repeated:
            yield Move("clients ask again", self._ask_again)
        yield from self._unusual_moves()

    def _moves_to_end(self, execution: Execution) -> list[Move]:
        default, shown = self.scenario.ending, execution.made is not None
        order = [default, *(ending for ending in ENDINGS if ending != default)]
        endings = [
            Move(f"stripe ends: {ending}", lambda e=ending: self.stripe.finish(execution, e))  # type: ignore[misc]
            for ending in order
            if not (shown and ending == "500 and nothing made")
        ]
        if not execution.confirms or shown:
            return endings
        show = Move("stripe shows an object that is not confirmed", lambda: self._show(execution))
        return [show, *endings]

    def _show(self, execution: Execution) -> None:
        self.stripe.show(execution)

    def _delivery_moves(self) -> Iterator[Move]:
        visible = self.queue.visible()[: self.scenario.batch_size]
        if visible:
            yield Move("queue delivers", lambda: self._deliver(visible))
        if len(visible) > 1:
            yield Move("queue delivers the last", lambda: self._deliver(visible[-1:]))

    def _time_moves(self, timeout_s: float | None) -> Iterator[Move]:
        now_s = self.clock.now_s()
        waits = [timeout_s, self.queue.next_visible_in_s()]
        waits += [execution.ends_by - now_s for execution in self.stripe.executing]
        known = [wait for wait in waits if wait is not None]
        if known and min(known) > 0:
            yield Move("time passes", lambda: self.loop.advance(min(known)))

    def _unusual_moves(self) -> Iterator[Move]:
        yield from self._unusual_delivery_moves()
        if not self._is_busy:
            yield from self._jump_moves()
        if self._repeated:
            yield Move("clients ask again early", self._ask_again)
        if self._repointed_to:
            yield Move("the secret is pointed at another key", self._repoint)
        if self.queue.dead and self._redrives:
            yield from self._early_redrive_moves()
        if self._early_looks and self._last_looks and self.redis.outcomes.unknown:
            yield Move("reconciler looks early", self._look_early)

    def _unusual_delivery_moves(self) -> Iterator[Move]:
        now_s = self.clock.now_s()
        if self._duplicates and len(self._working) < MAX_AT_ONCE:
            for queued in self.queue.messages.values():
                if queued.receives and queued.visible_at > now_s:
                    yield Move("queue delivers a duplicate", lambda q=queued: self._duplicate(q))  # type: ignore[misc]
        if self._throttles:
            for queued in self.queue.visible()[:1]:
                yield Move(
                    "queue delivers, and no process starts", lambda q=queued: self._throttle(q)
                )  # type: ignore[misc]

    def _jump_moves(self) -> Iterator[Move]:
        for jump_s in self._jumps_s:
            if self._may_jump(jump_s):
                yield Move(
                    f"no process runs for {_format_duration(jump_s)}",
                    lambda j=jump_s: self._jump(j),
                )  # type: ignore[misc]

    def _early_redrive_moves(self) -> Iterator[Move]:
        if not any(operator.alive for operator in self._operators):
            yield Move("operator redrives early", self._redrive)
        yield Move("SQS redrives", self.queue.redrive)

    def _may_jump(self, jump_s: float) -> bool:
        """Return whether the queues keep their messages this long, and whether time could change anything.

        A process is never frozen for longer than Redis keeps its keys.
        """
        now_s = self.clock.now_s()
        ages = [now_s + jump_s - queued.sent_at for queued in self.queue.messages.values()]
        dead = [now_s + jump_s - parked.sent_at for parked in self.queue.dead]
        if max(ages, default=0.0) > 10 * DAY_S or max(dead, default=0.0) > 14 * DAY_S:
            return False
        if self._frozen:
            return jump_s < MEMORY_S
        return bool(ages or dead or self.redis.outcomes.unknown)

    def _is_quiet(self, timeout_s: float | None) -> bool:
        return timeout_s is None and not (self.gates or self.queue.messages or self.late)

    @property
    def _is_busy(self) -> bool:
        programs = [gate for gate in self.gates if not gate.process.frozen]
        return bool(self._working or self.stripe.executing or programs)

    @property
    def _working(self) -> list[Process]:
        self._invocations = [process for process in self._invocations if process.alive]
        return [process for process in self._invocations if not process.frozen]

    @property
    def _frozen(self) -> bool:
        return any(process.alive and process.frozen for process in self._invocations)

    def _deliver(self, queued: Sequence[Queued]) -> None:
        received = [self.queue.receive(each) for each in queued]
        self._invoke([each for each in received if each is not None])

    def _duplicate(self, queued: Queued) -> None:
        """Deliver a message that a caller already processes, because SQS delivers at least once."""
        self._duplicates -= 1
        self._invoke([queued.as_received()])

    def _throttle(self, queued: Queued) -> None:
        """Receive a message for which Lambda has no capacity: the receive counts, but no process starts."""
        self._throttles -= 1
        self.queue.receive(queued)

    def _redrive_later(self) -> None:
        self.loop.advance(self._redrives.pop(0) if self._redrives else 0.0)
        self._redrive()

    def _has_unpublished_dead_letter(self) -> bool:
        """Return whether a dead letter still has no published outcome, so that the redrive must be repeated."""
        dead = {identify(parked.body) for parked in self.queue.dead}
        asked = [ask for ask, known in self.accepted.items() if known in dead]
        return any(not self.entries_of(ask) and self.is_proven(ask) for ask in asked)

    def _redrive(self) -> None:
        process = Process(f"operator-{sum('redrives' in line for line in self.choices.story)}")
        self._operators.append(process)
        self.start(process, redrive(self, process))

    def _look_early(self) -> None:
        self._early_looks -= 1
        self._reconcile("reconciler")

    def _look_at_last(self) -> None:
        """Run the reconciler a day later. The real one runs on a schedule, but only its last run decides."""
        self._last_looks -= 1
        self.last_look_at = len(self.choices.story)
        self.loop.advance(25 * 3600.0)
        self._reconcile("last reconciler")

    def _reconcile(self, name: str) -> None:
        process = Process(name)
        self._operators.append(process)
        self.start(process, reconcile(self, process))

    def _jump(self, jump_s: float) -> None:
        self._jumps_s.remove(jump_s)
        self.loop.advance(jump_s)

    def _ask_again(self) -> None:
        """Start all clients that ask again, at once. A repeat may end unknown too, so the reconciler runs once more."""
        repeated, self._repeated, self._last_looks = self._repeated, [], 1
        for number, ask in enumerate(repeated, start=1):
            client = Process(f"repeating client-{number}")
            self.start(client, post(self, client, ask))

    def _repoint(self) -> None:
        self._secrets[QUEUE_TENANT, SHOP] = self._repointed_to.pop(0)

    # --- one invocation

    def _invoke(self, messages: list[Message]) -> None:
        if not messages:
            return
        number = sum(1 for line in self.choices.story if "delivers" in line)
        process = Process(f"caller-{number}")
        self._invocations.append(process)
        self._let_live(process)
        self.start(process, self._handle(process, messages))

    def _let_live(self, process: Process) -> None:
        self._deaths[process] = self.loop.call_later(INVOCATION_S, self._time_out, process)

    def _time_out(self, process: Process) -> None:
        """Kill the process at Lambda's timeout.

        A store may be slow enough for that, but the process must stop waiting for Stripe earlier.
        """
        if process.alive and process.calling:
            self.broken.append(f"{process.name} waited for Stripe until it was killed")
        self.kill(process)

    async def _handle(self, process: Process, messages: list[Message]) -> None:
        """Call the batch as Lambda does, then delete the messages that the handler did not report as failed."""
        service = BatchCall(ports_of(self, process), max_receives=MAX_RECEIVES)
        kept = await service.call(messages, ends_at=self.clock.now_s() + INVOCATION_S)
        assert not kept or process.had_store_failure, (
            f"{kept} kept although every store was available"
        )
        done = [each.message_id for each in messages if each.message_id not in kept]
        if done:
            ways = {
                "done": lambda: self.queue.delete(done),
                "killed before": lambda: self.kill(process),
            }
            await self.call(process, "queue.delete", ways)
        self.end(process)

    def open_send(self, claim: Claim, send: Send) -> Any:
        answer = self.redis.at_slot(claim, lambda twin: twin.send(claim, send))
        self.note_send(claim, answer)
        return answer

    def freeze(self, process: Process, answer: Any) -> Frozen:
        """Stop a process between the answer of its call and its next instruction, and cancel its timeout."""
        process.frozen = True
        if process in self._deaths:
            self._deaths.pop(process).cancel()
        return Frozen(self, process, answer)

    def thaw(self, process: Process) -> None:
        process.frozen = False
        self._let_live(process)


@dataclass(frozen=True)
class Frozen:
    """The answer that a frozen process gets when it continues."""

    stage: Callers
    process: Process
    answer: Any

    async def wait_until_thawed(self) -> Any:
        await asyncio.sleep(FROZEN_S)
        self.stage.thaw(self.process)
        return self.answer


def _format_duration(seconds: float) -> str:
    days = seconds / DAY_S
    return f"{days:.3g} days" if days >= 1 else f"{seconds / 60:.3g} minutes"


def play(scenario: Scenario, choices: Choices) -> Callers:
    """Make one run of a scenario. Raises `AssertionError` when an invariant breaks."""
    stage = Callers(scenario, choices)
    stage.play()
    stage.check()
    stage.check_rest()
    return stage
