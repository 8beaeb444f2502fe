"""The table of an operator's commands, and the one function that runs each of them, here or in a Lambda."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import InvalidField, PaydispatchError
from paydispatch.services.operate import (
    accounts,
    dead_flows,
    dead_letters,
    listing,
    reconciling,
    requests,
)
from paydispatch.services.operate.arguments import Arguments
from paydispatch.services.operate.ports import INTERRUPTED, Document, OperatorPorts, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

Work = Callable[[OperatorPorts, Arguments], Awaitable[Document]]
Join = Callable[[Document, Document], Document]


def _last(_: Document, second: Document) -> Document:
    return second


@dataclass(frozen=True, slots=True)
class Command:
    """One command. If its document has a `cursor`, the command goes on with that as an argument."""

    work: Work
    join: Join = _last
    """Makes one document of those of two runs."""


COMMANDS: Mapping[str, Command] = {
    "status": Command(requests.status),
    "doctor": Command(requests.doctor),
    "requests": Command(listing.list_requests),
    "limits show": Command(accounts.show_limits),
    "limits set": Command(accounts.set_limit),
    "limits reset": Command(accounts.reset_limits),
    "limits close-breaker": Command(accounts.close_breaker),
    "pause": Command(accounts.pause),
    "resume": Command(accounts.resume),
    "dlq list": Command(dead_letters.list_parked, dead_letters.join_walks),
    "dlq show": Command(dead_letters.show_parked),
    "dlq redrive": Command(dead_letters.redrive, dead_letters.join_walks),
    "flows dead list": Command(dead_flows.list_dead, dead_flows.join_walks),
    "flows dead show": Command(dead_flows.show_dead),
    "flows dead rerun": Command(dead_flows.rerun, dead_flows.join_walks),
    reconciling.RECONCILE: Command(reconciling.reconcile, reconciling.join_reports),
    "forget": Command(requests.forget),
}


def command_named(name: Any) -> Command:
    """Return the command. Raises `InvalidField`."""
    if not isinstance(name, str) or name not in COMMANDS:
        raise InvalidField("command", f"command must be one of {', '.join(COMMANDS)}.")
    return COMMANDS[name]


async def operate(ports: OperatorPorts, name: str, asked: Arguments) -> Document:
    """Run a command once, and return its document in plain JSON."""
    return plain(await command_named(name).work(ports, asked))


def operate_all(
    run: Callable[[Mapping[str, Any]], Document], name: str, given: Mapping[str, Any]
) -> Document:
    """Run a command with `run` until it is done, and return one document of all runs.

    It ends, because a document has a cursor only if its run got further. If a later run fails, the document has the
    reason as `stopped_by`, because the work of the runs before was done.
    """
    command = command_named(name)
    document = run(given)
    while (cursor := document.pop("cursor", None)) is not None:
        try:
            document = command.join(document, run({**given, "cursor": cursor}))
        except PaydispatchError as error:
            document["stopped_by"] = str(error)
        except KeyboardInterrupt:
            document["stopped_by"] = INTERRUPTED
    return document
