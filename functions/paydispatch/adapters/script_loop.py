"""Event loops for scripts: each run has a new one, and a thread's loops share a selector and a wake-up pipe.

Making these two takes longer than most scripts. A loop is closed when its script has ended, and knows whether the
script left anything behind in it.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class _KeptSelector(selectors.DefaultSelector):
    """A selector that survives its event loop."""

    before_wait: Callable[[], None] | None = None
    """Called once, before the loop waits for the first time."""

    def close(self) -> None:
        """Stay open, because the next loop of the thread uses it."""

    def select(self, timeout: float | None = None) -> Any:
        """Return at once, without a system call, if nothing is registered and the loop has callbacks to run."""
        if timeout is not None and timeout <= 0 and not self.get_map():
            return []
        if self.before_wait is not None:
            watch, self.before_wait = self.before_wait, None
            watch()
        return super().select(timeout)

    def close_for_good(self) -> None:
        super().close()


class LoopParts:
    """The parts that the loops of one thread share."""

    def __init__(self) -> None:
        self.selector = _KeptSelector()
        self.pipe = socket.socketpair()
        for end in self.pipe:
            end.setblocking(False)

    @property
    def in_use(self) -> bool:
        """Whether a closed loop has left something registered: a socket that a script did not close."""
        return len(self.selector.get_map()) > 0

    def close(self) -> None:
        self.selector.close_for_good()
        for end in self.pipe:
            end.close()


class ScriptLoop(asyncio.SelectorEventLoop):
    """The event loop of one run of one script."""

    CALLS_OF_A_TASK = 2
    """The first step of a task that never waits, and the callback at its end."""

    _internal_fds: int

    def __init__(self, parts: LoopParts) -> None:
        self._parts = parts
        self._calls = 0
        super().__init__(parts.selector)

    @property
    def untouched(self) -> bool:
        """Whether the loop ran one task that never waited and began nothing else. Nothing of it can be left then."""
        return self._calls <= self.CALLS_OF_A_TASK

    def call_soon(self, *arguments: Any, **options: Any) -> Any:  # type: ignore[override]
        self._calls += 1
        return super().call_soon(*arguments, **options)

    def run_in_executor(self, *arguments: Any) -> Any:  # type: ignore[override]
        self._calls += self.CALLS_OF_A_TASK
        return super().run_in_executor(*arguments)

    def _asyncgen_firstiter_hook(self, generator: Any) -> None:
        self._calls += self.CALLS_OF_A_TASK
        super()._asyncgen_firstiter_hook(generator)  # type: ignore[misc]

    def _make_self_pipe(self) -> None:
        self._ssock, self._csock = self._parts.pipe
        self._internal_fds += 1
        self._parts.selector.before_wait = self._watch_pipe

    def _watch_pipe(self) -> None:
        """Watch for the wake-ups of other threads. A loop that never waits needs none."""
        self._add_reader(self._ssock.fileno(), self._read_from_self)  # type: ignore[attr-defined]

    def _close_self_pipe(self) -> None:
        """Leave the pipe open. A late wake-up of this loop wakes the next one, which then finds nothing to do."""
        self._parts.selector.before_wait = None
        self._remove_reader(self._ssock.fileno())  # type: ignore[attr-defined]
        self._ssock = self._csock = None  # type: ignore[assignment]
        self._internal_fds -= 1
