"""Flows as files: `new_create_price_response` is the file of that name, imported when first needed."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import re
import sys
import threading
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import MissingFlow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from paydispatch.flow import Flow

_NAME = re.compile(r"new_create_[a-z_]{1,64}_(response|error)")


class FlowFolder:
    """`FlowScripts` over one folder. A script that cannot be imported is tried again at its next run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: dict[str, Callable[[Any, Flow], Any]] = {}

    async def run(self, name: str, argument: Any, flow: Flow) -> None:
        run = self._runs.get(name) or self._import(name)
        if inspect.iscoroutinefunction(run):
            await run(argument, flow)
            return
        returned = await _in_own_thread(run, argument, flow)
        if inspect.isawaitable(returned):  # a plain function around an async one
            await returned

    def _import(self, name: str) -> Callable[[Any, Flow], Any]:
        path = self._folder / f"{name}.py"
        if not _NAME.fullmatch(name) or not path.is_file():
            raise MissingFlow(name, str(self._folder))
        if str(self._folder) not in sys.path:
            sys.path.append(str(self._folder))  # a flow may import a helper that lies beside it
        spec = importlib.util.spec_from_file_location(f"flows.{name}", path)
        if spec is None or spec.loader is None:
            raise MissingFlow(name, str(self._folder))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        run: Callable[[Any, Flow], Any] = module.run
        self._runs[name] = run
        return run


async def _in_own_thread(run: Callable[[Any, Flow], Any], argument: Any, flow: Flow) -> Any:
    """Run a plain function beside the event loop.

    A thread of its own, not one of a pool: a script that hangs past its timeout must not take a place from the next,
    and as a daemon it does not keep the process alive.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def work() -> None:
        try:
            returned = run(argument, flow)
        except BaseException as error:  # handed over to the event loop whole
            _tell(loop, done, None, error)
        else:
            _tell(loop, done, returned, None)

    threading.Thread(target=work, name=f"flow-{flow.request_id}", daemon=True).start()
    return await done


def _tell(
    loop: asyncio.AbstractEventLoop,
    done: asyncio.Future[Any],
    returned: Any,
    error: BaseException | None,
) -> None:
    def settle() -> None:
        if done.done():  # nobody waits any more: it took longer than its timeout
            return
        if error is None:
            done.set_result(returned)
        else:
            done.set_exception(_as_exception(error))

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def _as_exception(error: BaseException) -> Exception:
    """What a future may carry: `sys.exit()` in a script is that script's failure, not the runner's end."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")
