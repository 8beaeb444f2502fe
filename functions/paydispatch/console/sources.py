"""The parts that the console asks. A part is None if this console has no way to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from paydispatch.services.recent import RecentRequests

Document = dict[str, Any]

Operate = Callable[[str, Mapping[str, Any]], Document]
"""Runs an operator's command. It blocks."""


class Trials(Protocol):
    """Requests to a local stack with the twin. This program makes up their key."""

    async def submit(self, method: str, path: str, body: Mapping[str, Any]) -> Document:
        """Send a request to the API. Raises `Unavailable`."""
        ...

    def rehearse(self, method: str, path: str, body: Mapping[str, Any]) -> Document:
        """Return the answer that the API would give. Nothing is sent."""
        ...

    async def control_twin(
        self, method: str, name: str, body: Mapping[str, Any] | None
    ) -> Document:
        """Use a control of the twin. Raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    operate: Operate
    recent: RecentRequests | None = None
    trace: Callable[[str, str | None], Awaitable[Document | None]] | None = None
    """None: the command `status` has the trace."""
    trials: Trials | None = None
    pace: float = 1.0
    """The page asks so many times less often."""
