"""The in-memory twin of the flow scripts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import MissingFlow
from paydispatch.flow import script_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.flow import Flow


class MemoryScripts:
    """A `FlowScripts` of the given functions."""

    def __init__(self, **scripts: Callable[[Any, Flow], Any]) -> None:
        self._scripts = scripts

    def has(self, name: str) -> bool:
        return name in self._scripts

    def is_loaded(self, name: str) -> bool:
        return name in self._scripts

    async def load(self, name: str) -> None:
        if name not in self._scripts:
            raise MissingFlow(name, "memory")

    async def run(self, name: str, argument: Any, flow: Flow) -> None:
        """Run the script in the caller's event loop. Tasks that the script leaves behind go on there."""
        await self.load(name)
        try:
            result = self._scripts[name](argument, flow)
            if asyncio.iscoroutine(result):
                await result
        except BaseException as error:
            raise script_end(error) from None
