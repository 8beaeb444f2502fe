"""Threads for scripts, so that a script that exits, hangs or blocks affects only its own thread."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from concurrent.futures import Future
from contextvars import Context
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from paydispatch.domain.text.script_errors import error_text, safe_text
from paydispatch.flow import script_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paydispatch.domain.errors import ScriptFailed
    from paydispatch.flow import Flow, RetryLater

    Work = Callable[[], None]


class ScriptThreads:
    """Daemon threads, because a thread that hangs must not keep the process alive. Idle threads are used again."""

    def __init__(self) -> None:
        self._idle: deque[SimpleQueue[Work]] = deque()

    def start(self, work: Work) -> None:
        """Run `work`, which must not raise, in a thread that runs nothing else meanwhile."""
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
    """One run of one script. Call `work` in a thread of its own, because the script may block it.

    A coroutine gets an event loop of its own, so that a task that exits, stops the loop or never ends affects only the
    script.
    """

    def __init__(self, run: Callable[[Any, Flow], Any], argument: Any, flow: Flow) -> None:
        self.ended: Future[RetryLater | ScriptFailed | None] = Future()
        """The result. None: the script returned."""
        self.ended.set_running_or_notify_cancel()  # a waiter that is cancelled must not cancel it
        self._run = run
        self._argument = argument
        self._flow = flow
        self._task: asyncio.Task[None] | None = None
        self._cancelled = False
        self._raised: BaseException | None = None
        """The error of the coroutine. If the script cancelled its own task, the task itself shows only that."""

    def cancel(self) -> bool:
        """Cancel the script's coroutine. Return whether there is one, because a plain function cannot be cancelled."""
        self._cancelled = True
        if self._task is None:
            return False
        try:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        except RuntimeError:  # its event loop is closed: the script has just ended
            return False
        return True

    def work(self) -> None:
        """Run the script, set the result, and then cancel the tasks that the script left behind."""
        threading.current_thread().name = f"flow-{self._flow.request_id}"
        runner = asyncio.Runner()  # makes its event loop at the first use
        self.ended.set_result(self._end(runner))
        try:
            runner.close()
        except BaseException as error:  # of a task that was left behind, after the result was set
            self._flow.log.warning("a task that was left behind raised %s", error_text(error))

    def _end(self, runner: asyncio.Runner) -> RetryLater | ScriptFailed | None:
        try:
            self._call(runner)
        except BaseException as error:  # `sys.exit()` ends the script and not the worker
            return script_end(self._raised or error)
        return None

    def _call(self, runner: asyncio.Runner) -> None:
        returned = self._run(self._argument, self._flow)
        if inspect.isawaitable(returned):
            runner.get_loop().set_exception_handler(self._log_unhandled)
            runner.run(self._await(returned))
        elif inspect.isgenerator(returned) or inspect.isasyncgen(returned):
            raise TypeError(
                "run returned a generator: its body never runs. Return nothing or a coroutine."
            )

    async def _await(self, returned: Awaitable[object]) -> None:
        self._task = asyncio.current_task()
        if self._cancelled:
            raise asyncio.CancelledError
        try:
            await returned
        except BaseException as error:
            self._raised = error
            raise

    def _log_unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error that no code awaited. The event loop would print the traceback, which may hold a key."""
        error = context.get("exception")
        text = safe_text(context.get("message")) if error is None else error_text(error)
        self._flow.log.warning("a task of the flow raised: %s", text)
