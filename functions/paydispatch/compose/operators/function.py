"""Compose the Lambda function that runs the commands of an operator."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from paydispatch.compose.async_lambda import on_one_loop
from paydispatch.compose.operators.ports import ConnectedPorts
from paydispatch.handlers.operators import SLICE, OperatorHandler
from paydispatch.services.operate.reconciling import RECONCILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from paydispatch.adapters.event_log import PowertoolsEventLog
    from paydispatch.compose.async_lambda import Handler
    from paydispatch.services.operate.ports import Document
    from paydispatch.settings import OperatorSettings


def compose(settings: OperatorSettings, log: PowertoolsEventLog) -> Handler:
    """Build the handler. It connects for each command, and closes the connections after it."""
    reconciling = partial(_reconcile_in, settings.reconcile_function)
    ports = ConnectedPorts(log=log, reconciling=reconciling, slice=SLICE)
    return on_one_loop(OperatorHandler(ports, log), log)


async def _reconcile_in(function: str, arguments: Mapping[str, Any]) -> Document:
    """Ask the reconciler's function, because only that may open the keys."""
    from paydispatch.adapters.aws.clients import AwsClients
    from paydispatch.adapters.aws.functions import INVOKE_CONFIG, invoke

    client = AwsClients().functions(INVOKE_CONFIG)
    event = {"command": RECONCILE, "arguments": dict(arguments)}
    try:
        return await asyncio.to_thread(invoke, client, function, event)
    finally:
        client.close()
