"""Leave a server that says it is the wrong node: after a failover the old primary keeps its connections open.

redis-py hangs up after what it counts as a failed connection, and only on the one that failed. Here a wrong node's
answer counts as such, and makes every connection of its pool connect anew. So the next try resolves the address again.
A cluster's client needs none of this: it has a map of the nodes, and draws a new one when a node is the wrong one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MovedError, ResponseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_CODES = ("READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "UNBLOCKED")
"""The answers of a replica, of a primary without its replicas, and of a node whose cluster is in pieces.

MOVED has a class of its own. LOADING is a failed connection for redis-py already.
"""

_IN_A_SCRIPT = tuple(f"-{code} " for code in _CODES)
"""Redis 6 tells of a script's error in the middle of a sentence."""


class WrongNode(RedisConnectionError):
    """The server at the other end must not, or not yet, do what it was asked for."""


def is_of_a_wrong_node(error: ResponseError) -> bool:
    if isinstance(error, MovedError):
        return True
    text = str(error)
    code = error.status_code or text.partition(" ")[0]
    return code in _CODES or any(part in text for part in _IN_A_SCRIPT)


class LeavingConnection:
    """Mixed into a connection for threads. `wrong` tells its pool."""

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
            raise _told(error) from error


class LeavingAsyncConnection:
    """The same for an event loop."""

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
            raise _told(error) from error


class LeavingPool:
    """Mixed into a pool for threads: one connection's word makes all others connect anew."""

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
    """The same for an event loop."""

    if TYPE_CHECKING:
        disconnect: Callable[..., Awaitable[None]]
        update_active_connections_for_reconnect: Callable[[], Awaitable[None]]

    async def release(self, connection: Any) -> None:
        await super().release(connection)  # type: ignore[misc]
        if connection.wrong:
            connection.wrong = False
            await self.update_active_connections_for_reconnect()
            await self.disconnect(inuse_connections=False)


def _told(error: ResponseError) -> WrongNode:
    code = "MOVED" if isinstance(error, MovedError) else error.status_code or ""
    return WrongNode(f"{code} {error}".strip())
