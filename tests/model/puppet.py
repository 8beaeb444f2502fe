"""A thread that runs synchronous code on the stage and waits while the stage moves another process.

The stage and the thread take turns. One of them always waits for the other, so a run with threads is as repeatable as a
run without threads.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import PaydispatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.model.stage import Happening, Process, Stage


class _Killed(BaseException):
    """Raised in the thread of a killed process to unwind it."""


@dataclass(frozen=True)
class _Call:
    name: str
    ways: dict[str, Happening]


class Puppet:
    def __init__(self, work: Callable[[Puppet], None]) -> None:
        self._work = work
        self._call: _Call | None = None
        self._answer: Any = None
        self._error: BaseException | None = None
        self._mine, self._the_stages = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, daemon=True)

    async def play(self, stage: Stage, process: Process) -> None:
        """Run the thread to its end. Pass each of its calls to the stage and wait until the stage makes it."""
        self._thread.start()
        try:
            while (call := self._next_call()) is not None:
                try:
                    self._answer = await stage.call(process, call.name, call.ways)
                except PaydispatchError as error:
                    self._error = error
        except BaseException:
            self._error = _Killed()
            self._next_call()
            raise
        finally:
            self._thread.join()

    def call(self, name: str, ways: dict[str, Happening]) -> Any:
        """Wait until the stage makes the call, and return its answer. Only the thread may call this."""
        if isinstance(self._error, _Killed):
            raise self._error
        self._call = _Call(name, ways)
        self._the_stages.release()
        self._mine.acquire()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._answer

    def _next_call(self) -> _Call | None:
        self._call = None
        self._mine.release()
        self._the_stages.acquire()
        return self._call

    def _run(self) -> None:
        self._mine.acquire()
        try:
            self._work(self)
        except _Killed:
            self._call = None
        finally:
            self._the_stages.release()
