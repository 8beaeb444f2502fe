"""The cluster client for an event loop. It knows the nodes, and has checked that none evicts, before a command is sent.

Unlike redis-py's other clients, its cluster client for an event loop passes no `redis_connect_func` on.
"""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from redis.asyncio import RedisCluster

if TYPE_CHECKING:
    from paydispatch.adapters.redis.eviction import EvictionCheck


class CheckedCluster(RedisCluster):
    """A cluster client. Set `eviction` before its first command."""

    eviction: EvictionCheck
    _looked = False
    """Whether the nodes that the client knows were checked."""

    async def execute_command(self, *arguments: Any, **options: Any) -> Any:
        """Read the nodes first, because redis-py 8.1 sends a command to a random node before it knows them.

        After a few answers MOVED it closes all connections, also those in use by other calls.
        """
        await self.initialize()
        return await super().execute_command(*arguments, **options)

    async def initialize(self, *arguments: Any, **options: Any) -> Self:
        if self._initialize or not self._looked:
            async with self._looking:
                await self._read_nodes(*arguments, **options)
        return self

    @cached_property
    def _looking(self) -> asyncio.Lock:
        """Lets one call look while the others wait, because each look opens a connection to each node."""
        return asyncio.Lock()

    async def _read_nodes(self, *arguments: Any, **options: Any) -> None:
        self._looked = self._looked and not self._initialize
        await super().initialize(*arguments, **options)
        if not self._looked:
            await self._look()
            self._looked = True

    async def _look(self) -> None:
        try:
            await self.eviction.look_at_nodes(self.get_primaries())
        except BaseException:
            await self.aclose()  # so that the next command checks again
            raise
