"""The interface of a part of the stack, and the parts that are our own programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.local.processes import Child, Program, Supervisor


class Part(Protocol):
    """A program of the stack, which answers some time after its start."""

    @property
    def name(self) -> str: ...

    def launch(self) -> None:
        """Start the part and return at once. A part that ran before starts at the same address."""

    def await_ready(self, within_s: float) -> None:
        """Wait until the part answers. Raises `PartFailed`."""


class OwnPart:
    """A program of ours, which prints `{"ready": …}` once it is ready."""

    def __init__(self, supervisor: Supervisor, program: Program) -> None:
        self.name = program.name
        self._supervisor = supervisor
        self._program = program

    def launch(self) -> None:
        self._child = self._supervisor.start(self._program)

    def await_ready(self, within_s: float) -> None:
        self._child.await_announcement("ready", within_s=within_s)


class WorkerPart(OwnPart):
    """The flow worker. The stack does not wait until it is ready, because outcomes wait in Redis."""

    def await_ready(self, within_s: float) -> None:  # noqa: ARG002 - nothing to wait for
        self._child.check_alive()


class TwinPart:
    """The Stripe twin. It prints its URL, and listens at the same port after a restart."""

    name = "twin"

    def __init__(self, supervisor: Supervisor, program_on: Callable[[int], Program]) -> None:
        self._supervisor = supervisor
        self._program_on = program_on
        self._port = 0
        self._child: Child

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def launch(self) -> None:
        self._child = self._supervisor.start(self._program_on(self._port))

    def await_ready(self, within_s: float) -> None:
        url = self._child.await_announcement("stripe_base", within_s=within_s)
        self._port = urlsplit(url).port or 0
