"""Runs an operator's command: on this machine, or with `--stack` in the function of a deployed stack."""

from __future__ import annotations

import asyncio
import getpass
from functools import partial
from typing import TYPE_CHECKING, Any

from paydispatch.domain.errors import PaydispatchError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from paydispatch.ports import EventLog
    from paydispatch.services.operate.ports import Document


def add_stack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stack",
        metavar="NAME",
        help="run the command in the operator's function of this stack, which needs AWS credentials and no way to its "
        "Redis (default: here, with REDIS_URL)",
    )


def ask(arguments: argparse.Namespace, command: str, **given: Any) -> Document:
    """Run a command until it is done, and return its document. An argument that is None or False is left out.

    The document has `stopped_by` if the command did not come to its end.
    """
    from paydispatch.services.operate.table import operate_all

    wanted = {
        name: value for name, value in given.items() if value is not None and value is not False
    }
    if arguments.stack is None:
        return operate_all(lambda chosen: _run_here(command, chosen), command, wanted)

    from paydispatch.cli.remote import connect

    function = connect(arguments.stack)
    return operate_all(lambda chosen: function.run(command, chosen), command, wanted)


def raise_if_stopped(document: Document) -> None:
    """Raise the error that stopped the command. A report calls it after it has printed what was done."""
    from paydispatch.services.operate.ports import INTERRUPTED

    stopped_by = document.get("stopped_by")
    if stopped_by == INTERRUPTED:
        raise KeyboardInterrupt
    if stopped_by is not None:
        raise PaydispatchError(stopped_by)


def _run_here(command: str, given: Mapping[str, Any]) -> Document:
    from paydispatch.adapters.command_event_log import CommandEventLog
    from paydispatch.compose.operators.ports import ConnectedPorts
    from paydispatch.services.operate.arguments import Arguments
    from paydispatch.services.operate.table import operate

    log = CommandEventLog()
    ports = ConnectedPorts(log=log, reconciling=partial(_reconcile_here, log))
    return asyncio.run(operate(ports, command, Arguments(given, caller=_user())))


async def _reconcile_here(log: EventLog, given: Mapping[str, Any]) -> Document:
    from paydispatch.compose.reconciler import Clients, connect
    from paydispatch.services.operate.arguments import Arguments
    from paydispatch.services.operate.reconciling import reconcile_once
    from paydispatch.services.reconcile import Reconciler
    from paydispatch.settings import ReconcilerSettings

    settings = ReconcilerSettings.from_env()
    clients = Clients.connect(settings, log)
    try:
        return await reconcile_once(Reconciler(connect(settings, log, clients)), Arguments(given))
    finally:
        await clients.close()


def _user() -> str:
    """Return the name of the user, or "unknown" in a container without users."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
