"""The stage: processes that may die, and a scheduler that lets exactly one of their calls happen at a time.

Every call to a port waits at a *gate*. When all processes wait, the scheduler makes one move: it lets one call happen
in one of its ways (done; done, but the answer was lost; the store is away; done late, after the process gave up; the
process killed before or after it …), or lets time pass. So every interleaving, every crash point and every fault is a
choice, and none has to be listed.
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

MOST_STEPS = 1_500
"""A run that takes longer does not come to rest."""


@dataclass(eq=False)
class Process:
    """Something a SIGKILL ends between two instructions: no `finally` runs, what it holds stays where it is."""

    name: str
    alive: bool = True
    troubled: bool = False
    """Whether a store has failed it."""
    calling: int = 0
    """How many calls to Stripe it waits for."""
    frozen: bool = False
    """It stands still between two instructions, and goes on later."""
    may_post: dict[str, tuple[Claim, float]] = field(default_factory=dict)
    """{request id: the claim whose send was answered with go, and when}, until the POST."""
    answer: str | None = None
    """What a server told its client."""
    ended: asyncio.Future[None] | None = None
    """Done once it has come to its end, or was killed. For those that wait for it."""


@dataclass(eq=False)
class Gate:
    """One call that waits to happen, and the ways in which it can; the first is the default."""

    process: Process
    name: str
    ways: dict[str, Happening]
    opened: asyncio.Future[Any] = field(repr=False)


@dataclass(frozen=True)
class Move:
    name: str
    make: Happening


class Stage:
    """Subclasses say what else can happen (`other_moves`) and what must hold (`check`)."""

    def __init__(self, choices: Choices, script: Mapping[str, Sequence[str]]) -> None:
        """`script`: {gate: the ways its first calls end by default}."""
        self.choices = choices
        self._script = {gate: list(ways) for gate, ways in script.items()}
        self.loop = VirtualTimeLoop()
        self.clock = ModelClock(self.loop)
        self.gates: list[Gate] = []
        self.late: list[tuple[str, Happening]] = []
        """Commands whose process has given up on them. Each still happens, once."""
        self.current: Process | None = None
        self._over = False
        self._steps = 0
        self.broken: list[str] = []
        """What was found out where raising would not help: within the code under test."""
        self._tasks: list[asyncio.Task[Any]] = []
        """The loop knows them weakly only, and nobody else holds those of a killed process."""

    def servers_moves(self) -> list[list[Move]]:
        """What servers have in hand: how each piece of work can end, the default first."""
        return []

    def other_moves(self, timeout_s: float | None) -> Iterator[Move]:
        raise NotImplementedError

    def check(self) -> None:
        raise NotImplementedError

    def play(self) -> None:
        """Run until nothing can happen any more. Raises `AssertionError` when something broke."""
        self.loop.idle = self._move
        try:
            self.loop.run_forever()
        finally:
            self._clear()

    def start(self, process: Process, work: Coroutine[Any, Any, Any]) -> None:
        self.current = process
        task = self.loop.create_task(work, name=process.name)
        task.add_done_callback(self._ended)
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
        """Wait until the scheduler lets the call happen, in one of `ways`.

        A search for few faults leaves the `rare` ways out, because another way leads to the same. Walks, scripts and
        told stories have them.
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
        """How a command to a store can end. Killed before it is the same as killed after the one before it."""
        return {
            "done": call,
            "answer lost": lambda: _answer_lost(call),
            "away": _away,
            "late": lambda: self._do_late(process, name, call),
            "killed after": lambda: self._done_and_killed(process, call),
        }

    def ways_to_read(self, process: Process, call: Happening) -> dict[str, Happening]:
        """How a question to a store can end, which changes nothing there."""
        return {"done": call, "away": _away, "killed after": lambda: self.kill(process)}

    def rare_ways(self, process: Process, name: str, call: Happening) -> dict[str, Happening]:
        """A client library that hears nothing sends its command again, and the first one arrives after the second."""
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

    def _done_and_killed(self, process: Process, call: Happening) -> None:
        call()
        self.kill(process)

    def _move(self, timeout_s: float | None) -> None:
        self._steps += 1
        assert self._steps < MOST_STEPS, "it does not come to rest"
        assert not self.broken, self.broken[0]
        self.check()
        moves = list(self._moves(timeout_s))
        if not moves:
            self.loop.stop()
            return
        moves[self.choices.pick([move.name for move in moves])].make()

    def _moves(self, timeout_s: float | None) -> Iterator[Move]:
        """The current process going on comes first, then the others, then the rest of the world; faults last."""
        self.gates = [gate for gate in self.gates if not gate.opened.done()]
        own = [gate for gate in self.gates if gate.process is self.current]
        others = [gate for gate in self.gates if gate.process is not self.current]
        moves = [*map(self._openings, own), *self.servers_moves(), *map(self._openings, others)]
        yield from (ways[0] for ways in moves)
        yield from self.other_moves(timeout_s)
        if any(ways for ways in moves):  # at rest they come by themselves
            yield from self.late_moves()
        yield from (move for ways in moves for move in ways[1:])

    def _openings(self, gate: Gate) -> list[Move]:
        return [self._opening(gate, way) for way in gate.ways]

    def _opening(self, gate: Gate, way: str) -> Move:
        name = f"{gate.process.name} {gate.name}: {way}"
        return Move(name, lambda: self._open(gate, gate.ways[way]))

    def _open(self, gate: Gate, happen: Happening) -> None:
        self.gates.remove(gate)
        self.current = gate.process
        try:
            value = happen()
        except PaydispatchError as error:
            gate.process.troubled = True
            gate.opened.set_exception(error)
            return
        if gate.process.alive:
            gate.opened.set_result(value)

    def _ended(self, task: asyncio.Task[Any]) -> None:
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
    """The result of a twin's call, which never waits."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise RuntimeError("a twin waited")


def _away() -> None:
    raise Unavailable("away")


def _answer_lost(call: Happening) -> None:
    call()
    raise Unavailable("the answer was lost")
