"""The stage: processes that may be killed, and a scheduler that makes exactly one of their calls at a time.

Every call to a port waits at a *gate*. When all processes wait, the scheduler makes one move: it makes one call in one
of its ways, or lets time pass. The ways of a call are, for example: done, answer lost, store unavailable, done late
(after the process gave up), process killed before or after the call. So every interleaving, every crash point and every
fault is a choice of the scheduler, and no list of them is needed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.model.virtual_time import ModelClock, VirtualTimeLoop

from paydispatch.domain.errors import PaydispatchError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

    from tests.model.choices import Choices

    from paydispatch.domain.claims import Claim

    Happening = Callable[[], Any]

MAX_STEPS = 1_500
"""A run with more steps counts as endless."""


@dataclass(eq=False)
class Process:
    """A process that SIGKILL may end between two instructions. No `finally` runs, and it releases nothing."""

    name: str
    alive: bool = True
    had_store_failure: bool = False
    """Whether a store failed one of its calls."""
    calling: int = 0
    """The number of calls to Stripe that it waits for."""
    frozen: bool = False
    """Whether it is stopped between two instructions. It continues later."""
    may_post: dict[str, tuple[Claim, float]] = field(default_factory=dict)
    """{request id: (the claim that was allowed to send, when the answer came)}, until the POST."""
    answer: str | None = None
    """The status code that a server returned to its client."""
    ended: asyncio.Future[None] | None = None
    """Done when the process has ended or was killed. Other processes may wait for it."""


@dataclass(eq=False)
class Gate:
    """One call that waits, and the ways in which it can end. The first way is the default."""

    process: Process
    name: str
    ways: dict[str, Happening]
    opened: asyncio.Future[Any] = field(repr=False)


@dataclass(frozen=True)
class Move:
    name: str
    make: Happening


class Stage:
    """The scheduler. Subclasses define the other possible moves (`other_moves`) and the invariants (`check`)."""

    def __init__(self, choices: Choices, script: Mapping[str, Sequence[str]]) -> None:
        """Take the default ways of the first calls from `script`: {gate: ways}."""
        self.choices = choices
        self._script = {gate: list(ways) for gate, ways in script.items()}
        self.loop = VirtualTimeLoop()
        self.clock = ModelClock(self.loop)
        self.gates: list[Gate] = []
        self.late: list[tuple[str, Happening]] = []
        """Commands that their process gave up on. The store still executes each of them once."""
        self.current: Process | None = None
        self._over = False
        self._steps = 0
        self.broken: list[str] = []
        """Broken invariants found inside the code under test, where it could catch an exception."""
        self._tasks: list[asyncio.Task[Any]] = []
        """Strong references, because the loop has only weak ones and a killed process has no other holder."""

    def servers_moves(self) -> list[list[Move]]:
        """Return, for each execution at a server, the ways in which it can end. The default is first."""
        return []

    def other_moves(self, timeout_s: float | None) -> Iterator[Move]:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    def play(self) -> None:
        """Run until no move is possible. Raises `AssertionError` when an invariant breaks."""
        self.loop.idle = self._move
        try:
            self.loop.run_forever()
        finally:
            self._clear()

    def start(self, process: Process, work: Coroutine[Any, Any, Any]) -> None:
        self.current = process
        task = self.loop.create_task(work, name=process.name)
        task.add_done_callback(self._note_end)
        self._tasks.append(task)

    def kill(self, process: Process) -> None:
        self.end(process)
        self.gates = [gate for gate in self.gates if gate.process is not process]

    def end(self, process: Process) -> None:
        process.alive = False
        if process.ended is not None and not process.ended.done():
            process.ended.set_result(None)

    async def call(
        self,
        process: Process,
        name: str,
        ways: dict[str, Happening],
        rare: dict[str, Happening] | None = None,
    ) -> Any:
        """Wait until the scheduler makes the call in one of `ways`, and return its result.

        A search for few faults leaves the `rare` ways out, because each has the same effect as another way. Random
        walks, scripts and steered runs include them.
        """
        if self._over:
            raise asyncio.CancelledError
        every = {**ways, **(rare or {})}
        if self.choices.with_rare:
            ways = every
        if self._script.get(name):
            way = self._script[name].pop(0)
            ways = {way: every[way], **ways}
        opened: asyncio.Future[Any] = self.loop.create_future()
        if process.alive:
            self.gates.append(Gate(process, name, ways, opened))
        return await opened

    def ways(self, process: Process, name: str, call: Happening) -> dict[str, Happening]:
        """Return the ways in which a command to a store can end.

        "Killed before" is left out, because it equals "killed after" of the previous command.
        """
        return {
            "done": call,
            "answer lost": lambda: _lose_answer(call),
            "unavailable": _be_unavailable,
            "late": lambda: self._do_late(process, name, call),
            "killed after": lambda: self._do_and_kill(process, call),
        }

    def ways_to_read(self, process: Process, call: Happening) -> dict[str, Happening]:
        """Return the ways in which a read from a store can end. A read changes nothing there."""
        return {
            "done": call,
            "unavailable": _be_unavailable,
            "killed after": lambda: self.kill(process),
        }

    def rare_ways(self, process: Process, name: str, call: Happening) -> dict[str, Happening]:
        """Return the rare way: the client library repeats an unanswered command, and one of the two comes late."""
        return {"done, and once more late": lambda: self._do_twice(process, name, call)}

    def _do_twice(self, process: Process, name: str, call: Happening) -> Any:
        self.late.append((f"{process.name} {name}", call))
        return call()

    def _do_late(self, process: Process, name: str, call: Happening) -> None:
        self.late.append((f"{process.name} {name}", call))
        raise Unavailable("no answer in time")

    def late_moves(self) -> Iterator[Move]:
        for late in self.late:
            yield Move(f"late: {late[0]}", lambda late=late: self._happen_late(late))  # type: ignore[misc]

    def _happen_late(self, late: tuple[str, Happening]) -> None:
        self.late.remove(late)
        late[1]()

    def _do_and_kill(self, process: Process, call: Happening) -> None:
        call()
        self.kill(process)

    def _move(self, timeout_s: float | None) -> None:
        self._steps += 1
        assert self._steps < MAX_STEPS, "the run does not end"
        assert not self.broken, self.broken[0]
        self.check()
        moves = list(self._moves(timeout_s))
        if not moves:
            self.loop.stop()
            return
        moves[self.choices.pick([move.name for move in moves])].make()

    def _moves(self, timeout_s: float | None) -> Iterator[Move]:
        """Yield the current process's default move, then those of the others, then the other moves, and faults last."""
        self.gates = [gate for gate in self.gates if not gate.opened.done()]
        own = [gate for gate in self.gates if gate.process is self.current]
        others = [gate for gate in self.gates if gate.process is not self.current]
        moves = [
            *map(self._ways_as_moves, own),
            *self.servers_moves(),
            *map(self._ways_as_moves, others),
        ]
        yield from (ways[0] for ways in moves)
        yield from self.other_moves(timeout_s)
        if any(ways for ways in moves):  # without other moves the subclass yields them
            yield from self.late_moves()
        yield from (move for ways in moves for move in ways[1:])

    def _ways_as_moves(self, gate: Gate) -> list[Move]:
        return [self._way_as_move(gate, way) for way in gate.ways]

    def _way_as_move(self, gate: Gate, way: str) -> Move:
        name = f"{gate.process.name} {gate.name}: {way}"
        return Move(name, lambda: self._open(gate, gate.ways[way]))

    def _open(self, gate: Gate, happen: Happening) -> None:
        self.gates.remove(gate)
        self.current = gate.process
        try:
            value = happen()
        except PaydispatchError as error:
            gate.process.had_store_failure = True
            gate.opened.set_exception(error)
            return
        if gate.process.alive:
            gate.opened.set_result(value)

    def _note_end(self, task: asyncio.Task[Any]) -> None:
        if not self._over and not task.cancelled() and task.exception() is not None:
            self.broken.append(f"{task.get_name()} let {task.exception()!r} escape")

    def _clear(self) -> None:
        self._over = True
        self.loop.idle = lambda timeout_s: self.loop.advance(timeout_s or 0.0)
        while tasks := asyncio.all_tasks(self.loop):
            for task in tasks:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop.close()


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a twin's call, which never waits."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("a twin waited")


def _be_unavailable() -> None:
    raise Unavailable("unavailable")


def _lose_answer(call: Happening) -> None:
    call()
    raise Unavailable("the answer was lost")
