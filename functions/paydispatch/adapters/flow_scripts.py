"""Flow scripts as files: the script `new_create_price_response` is the module of that name in the flows folder."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple

from paydispatch.adapters.flow_package import FlowPackage
from paydispatch.adapters.script_run import ScriptRun
from paydispatch.adapters.script_threads import ScriptThreads
from paydispatch.domain.errors import MissingFlow, ScriptFailed
from paydispatch.flow import CLEAN_UP_S, script_end

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from paydispatch.adapters.flow_package import Script
    from paydispatch.domain.flow_retry import Retry
    from paydispatch.flow import Flow, RetryLater

    ImportResult = MissingFlow | RetryLater | ScriptFailed | None


class _Import(NamedTuple):
    """A running import. All runs that need the module wait for the same import."""

    ended: Future[ImportResult]
    give_up_at: float
    """By the monotonic clock."""


class FlowFolder:
    """`FlowScripts` in one folder. It imports and runs every script in a thread."""

    def __init__(self, folder: Path, *, import_timeout_s: float = 30.0) -> None:
        """Raises `BadSetting` for a folder that has the name of another package."""
        self._package = FlowPackage(folder)
        self._import_timeout_s = import_timeout_s
        self._threads = ScriptThreads()
        self._scripts: dict[str, Script] = {}
        self._imports: dict[str, _Import] = {}

    def names(self) -> Sequence[str]:
        return self._package.names()

    def has(self, name: str) -> bool:
        return name in self._scripts or self._package.has(name)

    def is_loaded(self, name: str) -> bool:
        return name in self._scripts

    def retry_of(self, name: str) -> Retry | None:
        return self._scripts[name].retry if name in self._scripts else None

    async def load(self, name: str) -> None:
        if name in self._scripts:
            return
        importing = self._imports.get(name) or self._begin_import(name)
        ended = asyncio.wrap_future(importing.ended)
        await asyncio.wait({ended}, timeout=max(0.0, importing.give_up_at - time.monotonic()))
        if not ended.done():
            raise ScriptFailed(
                f"The script's import did not end within {self._import_timeout_s:g} s."
            )
        _raise(ended.result())

    async def run(self, name: str, argument: Any, flow: Flow) -> None:
        if name not in self._scripts:
            await self.load(name)
        script = ScriptRun(self._scripts[name].run, argument, flow)
        doing = self._threads.start(script)
        try:
            end = await doing.done
        except asyncio.CancelledError:
            if script.cancel() and not doing.told:
                doing.done = doing.loop.create_future()
                await asyncio.wait({doing.done}, timeout=CLEAN_UP_S)
            raise
        _raise(end)

    def _begin_import(self, name: str) -> _Import:
        ended: Future[ImportResult] = Future()
        ended.set_running_or_notify_cancel()  # so that a cancelled waiter cannot cancel it
        importing = _Import(ended, time.monotonic() + self._import_timeout_s)
        self._imports[name] = importing
        self._threads.start(_ImportWork(self, name, importing))
        return importing

    def import_now(self, name: str, importing: _Import) -> None:
        """Import the script in the calling thread, and set the result."""
        end = self._try_to_import(name)
        del self._imports[name]  # the next run tries again
        importing.ended.set_result(end)

    def _try_to_import(self, name: str) -> ImportResult:
        try:
            self._package.check_there(name)
        except MissingFlow as missing:
            return missing
        try:
            self._scripts[name] = self._package.script(name)
        except (
            BaseException
        ) as error:  # `sys.exit()` in a module fails the import, and the worker goes on
            return script_end(error)
        return None


class _ImportWork(NamedTuple):
    folder: FlowFolder
    name: str
    importing: _Import

    def do(self, tell: Callable[[None], None]) -> None:
        self.folder.import_now(self.name, self.importing)
        tell(None)


def _raise(end: ImportResult) -> None:
    if end is not None:
        raise end
