"""The ports of the operator's commands. Each part is connected when a command needs it, and closed after it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    from paydispatch.ports import Clock, Doubts, LimitBoard, Recent, RequestStore
    from paydispatch.services.dead_flows import DeadFlows
    from paydispatch.services.doctor import Doctor
    from paydispatch.services.forget import Forgetter
    from paydispatch.services.redrive import Redriver
    from paydispatch.services.redrive_message import RedriveOptions
    from paydispatch.services.trace import TracePorts

Document = dict[str, Any]
"""The result of a command, as `--json` prints it."""

INTERRUPTED = "interrupted"
"""The value of `stopped_by` after Ctrl-C."""


def plain(document: Mapping[str, Any]) -> Document:
    """Return the document as it comes out of JSON, so that it is the same wherever the command ran."""
    plain_document: Document = json.loads(json.dumps(document))
    return plain_document


@dataclass(frozen=True, slots=True)
class Slice:
    """The part of a long command that one run does. The command goes on with another run."""

    messages: int
    seconds: float


class OperatorPorts(Protocol):
    """The parts. To open one raises `Unavailable` or `BadSetting`."""

    @property
    def clock(self) -> Clock: ...

    @property
    def queue_tenant(self) -> str: ...

    @property
    def slice(self) -> Slice | None:
        """None: a run has all the time that it needs."""
        ...

    def limit_board(
        self, *, reads_only: bool = False
    ) -> AbstractAsyncContextManager[LimitBoard]: ...

    def request_store(self) -> RequestStore: ...

    def doubts(self) -> AbstractAsyncContextManager[Doubts]: ...

    def trace(self) -> AbstractAsyncContextManager[TracePorts]: ...

    def doctor(self) -> AbstractAsyncContextManager[Doctor]: ...

    def recent(self) -> AbstractAsyncContextManager[Recent]: ...

    def redriver(
        self, options: RedriveOptions | None = None
    ) -> AbstractAsyncContextManager[Redriver]: ...

    def dead_flows(self) -> AbstractAsyncContextManager[DeadFlows]: ...

    def forgetter(self) -> AbstractAsyncContextManager[Forgetter]: ...

    async def reconcile(self, arguments: Mapping[str, Any]) -> Document:
        """Run the reconciler once, where it may open keys. Return the document of `reconciling.reconcile_once`."""
        ...
