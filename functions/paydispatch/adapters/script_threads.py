"""Threads for scripts, so that a script that exits, hangs or blocks affects only its own thread.

One thread runs the waiting scripts one after the other while each is quick, because a change of threads costs more than
a quick script. As soon as one takes longer, other threads run the scripts behind it.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from contextlib import suppress
from contextvars import Context
from queue import SimpleQueue
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK_S = 0.001
"""A script that takes longer than this holds up no other one."""

TOGETHER_S = 0.002
"""A thread announces its results so often while quick scripts follow each other, and at the end of the last one."""

FIRST_TICK_S, LONGEST_TICK_S = 0.002, 0.016
"""While scripts run, the event loop looks after them so often, at first and later. It finds those that wait behind a
long one, and the results that its thread has not announced."""


class Work(Protocol):
    """Something to do in a thread."""

    def do(self, tell: Callable[[Any], None]) -> None:
        """Call `tell` once with the result, which must not wait for anything after it. Must not raise."""
        ...


class Doing:
    """Work that a thread does, or will do."""

    __slots__ = ("done", "loop", "told", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.done: asyncio.Future[Any] = self.loop.create_future()
        """The result. A waiter that is cancelled cancels it, and may put another future in its place."""
        self.told = False


class ScriptThreads:
    """Daemon threads, because a thread that hangs must not keep the process alive. Idle threads are used again.

    There are as many as there are scripts that take long at once. The caller bounds how many run.

    One event loop uses them at a time. Another one may follow it, as in a program that calls `asyncio.run` twice.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        """Guards the next three."""
        self._waiting: deque[Doing] = deque()
        self._idle: list[SimpleQueue[Doing]] = []
        self._awake = 0
        """Threads that are not idle: those that run scripts, and those that hang."""
        self._began_at = math.inf
        """When the script that began last did so. Infinite until the thread that was woken last begins."""
        self._told: deque[tuple[Doing, Any]] = deque()
        """Results that the event loop has not taken yet."""
        self._announced_at = 0.0
        self._announced = False
        self._unfinished = 0
        """The number of runs that began and have no result at the event loop yet."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """The event loop that started work last. It alone is told of results and looks after the threads."""
        self._tick: asyncio.TimerHandle | None = None

    def start(self, work: Work) -> Doing:
        """Let a thread do `work`. Call this in an event loop. Raises `RuntimeError` if there can be no thread."""
        doing = Doing(work)
        if doing.loop is not self._loop:
            self._follow(doing.loop)
        with self._lock:
            self._waiting.append(doing)
            try:
                if self._awake == 0 or self._is_long():
                    self._wake_one()
            except RuntimeError:
                if not self._awake:
                    self._waiting.remove(doing)
                    raise
        self._unfinished += 1
        if self._tick is None or self._tick.when() - doing.loop.time() > FIRST_TICK_S:
            self._tick_in(doing.loop, FIRST_TICK_S)
        return doing

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """Forget the tick and the announcement of the event loop before, because it may never run again."""
        self._loop, self._tick, self._announced = loop, None, False

    def _is_long(self) -> bool:
        """Return whether the script that began last has run for long, so that none of the threads may be free soon."""
        return perf_counter() - self._began_at > QUICK_S

    def _wake_one(self) -> None:
        """Let one more thread run the waiting scripts. Raises `RuntimeError` if it cannot be started."""
        inbox = self._idle.pop() if self._idle else self._new_thread()
        self._awake += 1
        self._began_at = math.inf
        inbox.put(self._waiting.popleft())

    def _new_thread(self) -> SimpleQueue[Doing]:
        inbox: SimpleQueue[Doing] = SimpleQueue()
        threading.Thread(target=self._serve, args=(inbox,), name="flow", daemon=True).start()
        return inbox

    # in the threads

    def _serve(self, inbox: SimpleQueue[Doing]) -> None:
        while True:
            doing: Doing | None = inbox.get()
            while doing is not None:
                self._began_at = perf_counter()
                Context().run(self._do, doing)  # a new context: a script may set context variables
                doing = self._next(inbox)

    def _do(self, doing: Doing) -> None:
        doing.work.do(lambda result: self._tell(doing, result))

    def _next(self, inbox: SimpleQueue[Doing]) -> Doing | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._awake -= 1
            self._idle.append(inbox)
            return None

    def _tell(self, doing: Doing, result: Any) -> None:
        """Announce the result now, unless quick scripts follow. The event loop then takes their results together."""
        doing.told = True
        self._told.append((doing, result))
        now = not self._waiting or perf_counter() - self._announced_at > TOGETHER_S
        if now and not self._announced:
            self._announced = True
            with suppress(RuntimeError):  # the event loop is closed
                loop = self._loop or doing.loop
                loop.call_soon_threadsafe(self._take_results, loop)

    # in the event loop

    def _take_results(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop is not self._loop:
            return
        self._announced, self._announced_at = False, perf_counter()
        told, took = self._told, False
        while told:
            doing, result = told.popleft()
            self._unfinished -= 1
            took = True
            if doing.loop is loop and not doing.done.done():
                doing.done.set_result(result)
        if not self._unfinished:
            self._stop_ticking()
        elif took:
            self._tick_in(loop, FIRST_TICK_S)

    def _on_tick(self, loop: asyncio.AbstractEventLoop, after_s: float) -> None:
        if loop is not self._loop:
            return
        self._tick = None
        with self._lock, suppress(RuntimeError):  # without a new thread, those that run go on
            if self._waiting and self._is_long():
                for _ in range(min(len(self._waiting), self._awake)):  # twice as many, to grow fast
                    self._wake_one()
        self._take_results(loop)
        if self._unfinished and self._tick is None:
            self._tick_in(loop, min(2 * after_s, LONGEST_TICK_S))

    def _tick_in(self, loop: asyncio.AbstractEventLoop, after_s: float) -> None:
        self._stop_ticking()
        self._tick = loop.call_later(after_s, self._on_tick, loop, after_s)

    def _stop_ticking(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
