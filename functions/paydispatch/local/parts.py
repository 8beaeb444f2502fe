"""What every part of a stack can do, and the parts that are our own programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.local.processes import Child, Program, Supervisor


class Part(Protocol):
    """Something that is started, and answers a moment later."""

    @property
    def name(self) -> str: ...

    def launch(self) -> None:
        """Start it, where it was before if it was started before. Returns at once."""

    def await_ready(self, within_s: float) -> None:
        """Return when it answers. Raises `PartFailed`."""


class OwnPart:
    """A program of ours: it says `{"ready": …}` when it is."""

    def __init__(self, supervisor: Supervisor, program: Program) -> None:
        self.name = program.name
        self._supervisor = supervisor
        self._program = program

    def launch(self) -> None:
        self._child = self._supervisor.start(self._program)

    def await_ready(self, within_s: float) -> None:
        self._child.await_announcement("ready", within_s=within_s)


class WorkerPart(OwnPart):
    """The flow worker is ready whenever it is: outcomes wait for it in Redis."""

    def await_ready(self, within_s: float) -> None:  # noqa: ARG002 - nothing to wait for
        self._child.check_alive()


class TwinPart:
    """The Stripe twin: it says where it listens, and listens there again after a restart."""

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
