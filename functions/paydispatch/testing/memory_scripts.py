"""The in-memory twin of the flow scripts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import MissingFlow, ScriptFailed
from paydispatch.flow import CLEAN_UP_S, script_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from paydispatch.domain.flow_retry import Retry
    from paydispatch.flow import Flow, RetryLater


class MemoryScripts:
    """A `FlowScripts` of the given functions."""

    def __init__(
        self, retries: Mapping[str, Retry] | None = None, **scripts: Callable[[Any, Flow], Any]
    ) -> None:
        """`retries` has the `RETRY` of a script by the script's name."""
        self._scripts = scripts
        self._retries = retries or {}

    def names(self) -> Sequence[str]:
        return sorted(self._scripts)

    def has(self, name: str) -> bool:
        return name in self._scripts

    def is_loaded(self, name: str) -> bool:
        return name in self._scripts

    def retry_of(self, name: str) -> Retry | None:
        return self._retries.get(name)

    async def load(self, name: str) -> None:
        if name not in self._scripts:
            raise MissingFlow(name, "memory")

    async def run(self, name: str, argument: Any, flow: Flow) -> None:
        """Run the script in the caller's event loop. Tasks that the script leaves behind go on there.

        It runs in a task of its own, because a script may cancel the task that it runs in.
        """
        await self.load(name)
        running = asyncio.create_task(self._run(name, argument, flow))
        try:
            await asyncio.wait({running})
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait({running}, timeout=CLEAN_UP_S)
            raise
        if running.cancelled():  # the script cancelled its own task in its last step
            raise ScriptFailed(asyncio.CancelledError.__name__)
        if end := running.result():
            raise end

    async def _run(
        self, name: str, argument: Any, flow: Flow
    ) -> MissingFlow | RetryLater | ScriptFailed | None:
        try:
            result = self._scripts[name](argument, flow)
            if asyncio.iscoroutine(result):
                await result
        except BaseException as error:
            return script_end(error)
        return None
