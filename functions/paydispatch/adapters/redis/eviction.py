"""Refuse a Redis that evicts, because the keys that prevent double payments have a time to live.

The policy `volatile-lru` evicts such keys first.

The policy is read when a connection is made, so that a server that takes over in a failover is checked too. A server
that hides its policy is accepted. ElastiCache Serverless hides it, and so does any server if the user may not run INFO.
The limit `maxmemory` is not checked, because it can be set later, while the connections are open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from paydispatch.domain.operators.diagnosis import NO_EVICTION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paydispatch.ports import EventLog

_FIELD = "maxmemory_policy:"
_ASKED = ("INFO", "memory")


class EvictingServer(RedisConnectionError):
    """The server evicts keys. This error fails the connection, so that nothing is written to the server."""


class EvictionCheck:
    """The check of each new connection. With `allowed`, it accepts a server that evicts and logs so once a program."""

    def __init__(self, *, allowed: bool = False, log: EventLog | None = None) -> None:
        self._allowed = allowed
        self._log = log
        self._logged = False

    def greet(self, connection: Any) -> None:
        """Set up a new connection as redis-py does, and then check the server."""
        connection.on_connect()
        self.look(connection)

    async def greet_async(self, connection: Any) -> None:
        await connection.on_connect()
        await connection.send_command(*_ASKED, check_health=False)
        try:
            self.judge(policy_in(await connection.read_response()))
        except ResponseError:
            self.judge(None)

    def look(self, connection: Any) -> None:
        connection.send_command(*_ASKED, check_health=False)
        try:
            self.judge(policy_in(connection.read_response()))
        except ResponseError:
            self.judge(None)

    async def look_at_nodes(self, nodes: Iterable[Any]) -> None:
        for node in nodes:
            try:
                self.judge(policy_in(await node.execute_command(*_ASKED)))
            except ResponseError:
                self.judge(None)

    def judge(self, policy: str | None) -> None:
        """Raise `EvictingServer` if the policy evicts and that is not allowed. None: the server hides its policy."""
        if policy == NO_EVICTION:
            return
        if policy is not None and not self._allowed:
            raise EvictingServer(refusal(policy))
        self._log_once(policy)

    def _log_once(self, policy: str | None) -> None:
        if self._logged or self._log is None:
            return
        self._logged = True
        if policy is None:
            self._log.info("redis.policy_hidden")
        else:
            self._log.warning("redis.evicts", policy=policy)


def refusal(policy: str) -> str:
    return (
        f"its maxmemory-policy is {policy}, which evicts the keys that prevent double payments. "
        f"Set it to {NO_EVICTION}, or allow it with REDIS_ALLOW_EVICTION=true."
    )


def policy_in(info: Any) -> str | None:
    """Return the policy from an answer to INFO, a text or redis-py's dictionary. None: the answer has no policy."""
    if isinstance(info, dict):
        return info.get(_FIELD.rstrip(":"))
    lines = str(info).splitlines()
    return next((line.removeprefix(_FIELD) for line in lines if line.startswith(_FIELD)), None)
