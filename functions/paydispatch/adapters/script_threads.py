"""Threads for scripts: one that exits, hangs or blocks does that to its own thread alone."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from concurrent.futures import Future
from contextvars import Context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from paydispatch.domain.script_errors import error_text, safe_text
from paydispatch.flow import script_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paydispatch.domain.errors import ScriptFailed
    from paydispatch.flow import Flow, RetryLater

    Work = Callable[[], None]


class ScriptThreads:
    """Daemon threads, because one that hangs must not keep the process alive. An idle one takes the next work."""

    def __init__(self) -> None:
        self._idle: deque[SimpleQueue[Work]] = deque()

    def start(self, work: Work) -> None:
        """Do `work`, which must not raise, in a thread that does nothing else meanwhile."""
        try:
            inbox = self._idle.pop()
        except IndexError:
            inbox = self._new_thread()
        inbox.put(work)

    def _new_thread(self) -> SimpleQueue[Work]:
        inbox: SimpleQueue[Work] = SimpleQueue()
        threading.Thread(target=self._serve, args=(inbox,), name="flow", daemon=True).start()
        return inbox

    def _serve(self, inbox: SimpleQueue[Work]) -> None:
        while True:
            Context().run(inbox.get())  # a new context, because a script may set context variables
            self._idle.append(inbox)


class ScriptRun:
    """One run of one script. Its `work` belongs into a thread, which the script may block for as long as it likes.

    A coroutine gets an event loop of its own: a task of the script that exits, stops the loop or never ends meets
    nothing but the script.
    """

    def __init__(self, run: Callable[[Any, Flow], Any], argument: Any, flow: Flow) -> None:
        self.ended: Future[RetryLater | ScriptFailed | None] = Future()
        """None: the script has returned."""
        self.ended.set_running_or_notify_cancel()  # a waiter that is cancelled must not cancel it
        self._run = run
        self._argument = argument
        self._flow = flow
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self._raised: BaseException | None = None
        """By the coroutine. Its task tells of a cancellation alone, if the script has cancelled it before."""

    def cancel(self) -> bool:
        """Cancel a coroutine; return whether there is one. A plain function cannot be cancelled."""
        self._cancelled = True
        if self._task is None:
            return False
        try:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        except RuntimeError:  # its event loop is closed: the script has just ended
            return False
        return True

    def work(self) -> None:
        """Run the script, say how it ended, and then cancel the tasks it has left behind."""
        threading.current_thread().name = f"flow-{self._flow.request_id}"
        runner = asyncio.Runner()  # makes its event loop at the first use
        self.ended.set_result(self._end(runner))
        try:
            runner.close()
        except BaseException as error:  # of a task that was left behind: the end has been told
            self._flow.log.warning("a task that was left behind raised %s", error_text(error))

    def _end(self, runner: asyncio.Runner) -> RetryLater | ScriptFailed | None:
        try:
            self._call(runner)
        except BaseException as error:  # `sys.exit()` ends the script, and not the worker
            return script_end(self._raised or error)
        return None

    def _call(self, runner: asyncio.Runner) -> None:
        returned = self._run(self._argument, self._flow)
        if inspect.isawaitable(returned):
            runner.get_loop().set_exception_handler(self._log_unheard)
            runner.run(self._await(returned))
        elif inspect.isgenerator(returned) or inspect.isasyncgen(returned):
            raise TypeError("run returned a generator: its body never runs.")

    async def _await(self, returned: Awaitable[object]) -> None:
        self._task = asyncio.current_task()
        if self._cancelled:
            raise asyncio.CancelledError
        try:
            await returned
        except BaseException as error:
            self._raised = error
            raise

    def _log_unheard(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error that no code has awaited. The event loop would print its traceback with what is in it."""
        error = context.get("exception")
        text = safe_text(context.get("message")) if error is None else error_text(error)
        self._flow.log.warning("a task of the flow raised: %s", text)
