"""Refuse a Redis that evicts: the guards have a time to live, and are what `volatile-lru` evicts first.

The policy is read when a connection is made, so that a server that takes over in a failover is looked at too. A server
that hides its policy is believed. ElastiCache Serverless does so, and any server whose user has no right to ask.
The limit `maxmemory` is not looked at, because it can be set later, while the connections are open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from paydispatch.domain.diagnosis import NO_EVICTION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paydispatch.ports import EventLog

_FIELD = "maxmemory_policy:"
_ASKED = ("INFO", "memory")


class EvictingServer(RedisConnectionError):
    """Counts as a failed connection: nothing is written to such a server."""


class EvictionCheck:
    """`allowed` goes on all the same, and says so in the event log: once in the life of a program."""

    def __init__(self, *, allowed: bool = False, log: EventLog | None = None) -> None:
        self._allowed = allowed
        self._log = log
        self._told = False

    def greet(self, connection: Any) -> None:
        """Do as redis-py does with a new connection, and then look."""
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
        """Raises `EvictingServer`."""
        if policy == NO_EVICTION:
            return
        if policy is not None and not self._allowed:
            raise EvictingServer(refusal(policy))
        self._tell(policy)

    def _tell(self, policy: str | None) -> None:
        if self._told or self._log is None:
            return
        self._told = True
        if policy is None:
            self._log.info("redis.policy_hidden")
        else:
            self._log.warning("redis.evicts", policy=policy)


def refusal(policy: str) -> str:
    return (
        f"its maxmemory-policy is {policy}, which evicts what keeps a payment from being made twice. "
        f"Set it to {NO_EVICTION}, or allow it with REDIS_ALLOW_EVICTION=true."
    )


def policy_in(info: Any) -> str | None:
    """Read the policy from an answer to INFO: the text, or redis-py's dictionary. None: it is not there."""
    if isinstance(info, dict):
        return info.get(_FIELD.rstrip(":"))
    lines = str(info).splitlines()
    return next((line.removeprefix(_FIELD) for line in lines if line.startswith(_FIELD)), None)
