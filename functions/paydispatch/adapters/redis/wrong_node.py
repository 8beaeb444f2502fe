"""Reconnect when a server answers that it is the wrong node. After a failover the old primary keeps connections open.

redis-py closes only the one connection that failed, and does not count a wrong node's answer as a failure. Here the
answer counts as one, and makes every connection of the pool reconnect. So the next try resolves the address again.
A cluster client needs none of this, because it keeps a map of the nodes and reads a new one when it is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, ResponseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_CODES = ("READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "UNBLOCKED")
"""The error codes of a replica, of a primary without its replicas, and of a node of a broken cluster.

MOVED has a class of its own. redis-py already counts LOADING as a failed connection.
"""

_IN_A_SCRIPT = tuple(f"-{code} " for code in _CODES)
"""Redis 6 puts the code of a script's error in the middle of the error text."""


class WrongNode(RedisConnectionError):
    """The server must not run the command, or not yet, because of its role."""


def is_of_a_wrong_node(error: ResponseError) -> bool:
    if isinstance(error, MovedError):
        return True
    text = str(error)
    code = error.status_code or text.partition(" ")[0]
    return code in _CODES or any(part in text for part in _IN_A_SCRIPT)


class LeavingConnection:
    """A mixin of connections for threads. `wrong` makes its pool reconnect."""

    if TYPE_CHECKING:
        disconnect: Callable[[], None]

    wrong = False

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().read_response(*arguments, **options)  # type: ignore[misc]
        except ResponseError as error:
            if not is_of_a_wrong_node(error):
                raise
            self.wrong = True
            self.disconnect()
            raise _as_wrong_node(error) from error


class LeavingAsyncConnection:
    """A mixin of connections for an event loop, otherwise as `LeavingConnection`."""

    if TYPE_CHECKING:
        disconnect: Callable[..., Awaitable[None]]

    wrong = False

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)  # type: ignore[misc]
        except ResponseError as error:
            if not is_of_a_wrong_node(error):
                raise
            self.wrong = True
            await self.disconnect(nowait=True)
            raise _as_wrong_node(error) from error


class LeavingPool:
    """A mixin of pools for threads. After one `wrong` connection, all others of the pool reconnect."""

    if TYPE_CHECKING:
        disconnect: Callable[..., None]
        update_active_connections_for_reconnect: Callable[[], None]

    def release(self, connection: Any) -> None:
        super().release(connection)  # type: ignore[misc]
        if connection.wrong:
            connection.wrong = False
            self.update_active_connections_for_reconnect()
            self.disconnect(inuse_connections=False)


class LeavingAsyncPool:
    """A mixin of pools for an event loop, otherwise as `LeavingPool`."""

    if TYPE_CHECKING:
        disconnect: Callable[..., Awaitable[None]]
        update_active_connections_for_reconnect: Callable[[], Awaitable[None]]

    async def release(self, connection: Any) -> None:
        await super().release(connection)  # type: ignore[misc]
        if connection.wrong:
            connection.wrong = False
            await self.update_active_connections_for_reconnect()
            await self.disconnect(inuse_connections=False)


def _as_wrong_node(error: ResponseError) -> WrongNode:
    code = "MOVED" if isinstance(error, MovedError) else error.status_code or ""
    return WrongNode(f"{code} {error}".strip())
