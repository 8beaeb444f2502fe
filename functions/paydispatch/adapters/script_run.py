"""One run of one script in a thread."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.script_loop import LoopParts, ScriptLoop
from paydispatch.domain.text.script_errors import error_text, safe_text
from paydispatch.flow import script_end

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from paydispatch.domain.errors import ScriptFailed
    from paydispatch.flow import Flow, RetryLater

    End = RetryLater | ScriptFailed | None
    """How a script ended. None: it returned."""


class _OfThread(threading.local):
    """The state that a thread keeps from one run to the next."""

    parts: LoopParts | None = None


_of_thread = _OfThread()


class ScriptRun:
    """One run of one script. Call `do` in a thread of its own, because the script may block it.

    A coroutine gets an event loop of its own, so that a task that exits, stops the loop or never ends affects only the
    script.
    """

    def __init__(self, run: Callable[[Any, Flow], Any], argument: Any, flow: Flow) -> None:
        self._run = run
        self._argument = argument
        self._flow = flow
        self._task: asyncio.Task[None] | None = None
        self._loop: ScriptLoop | None = None
        self._cancelled = False
        self._raised: BaseException | None = None
        """The error of the coroutine. If the script cancelled its own task, the task itself shows only that."""

    def cancel(self) -> bool:
        """Cancel the script's coroutine, or a run that has not begun.

        Return whether there is a coroutine, because a plain function cannot be cancelled.
        """
        self._cancelled = True
        if self._task is None:
            return False
        try:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        except RuntimeError:  # its event loop is closed: the script has just ended
            return False
        return True

    def do(self, tell: Callable[[End], None]) -> None:
        """Run the script, tell its end, and then cancel the tasks that the script left behind."""
        threading.current_thread().name = f"flow-{self._flow.request_id}"
        tell(self._end())
        if self._loop is not None:
            self._close(self._loop)

    def _end(self) -> End:
        try:
            self._call()
        except BaseException as error:  # `sys.exit()` ends the script and not the worker
            return script_end(self._raised or error)
        return None

    def _call(self) -> None:
        if self._cancelled:
            raise asyncio.CancelledError
        returned = self._run(self._argument, self._flow)
        if returned is None:
            return
        if inspect.isawaitable(returned):
            self._loop = _new_loop()
            self._loop.set_exception_handler(self._log_unhandled)
            self._loop.run_until_complete(self._await(returned))
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

    def _close(self, loop: ScriptLoop) -> None:
        try:
            if loop.untouched:
                loop.close()
            else:
                with asyncio.Runner(loop_factory=lambda: loop) as runner:
                    runner.get_loop()  # the end of the block cancels its tasks and closes it
        except BaseException as error:  # of a task that was left behind, after the result was told
            self._flow.log.warning("a task that was left behind raised %s", error_text(error))
        parts = _of_thread.parts
        if parts is not None and (parts.in_use or not loop.is_closed()):
            _of_thread.parts = None
            parts.close()

    def _log_unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log an error that no code awaited. The event loop would print the traceback, which may hold a key."""
        error = context.get("exception")
        text = safe_text(context.get("message")) if error is None else error_text(error)
        self._flow.log.warning("a task of the flow raised: %s", text)


def _new_loop() -> ScriptLoop:
    if _of_thread.parts is None:
        _of_thread.parts = LoopParts()
    return ScriptLoop(_of_thread.parts)
