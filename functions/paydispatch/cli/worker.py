"""`paydispatch worker`: run the flows of a worker in a process of its own, anywhere Redis and SQS can be reached."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paydispatch.cli.bounded_exit import leave_soon
from paydispatch.cli.flows_folder import flows_folder
from paydispatch.domain.slots import slot_name
from paydispatch.settings import RunnerSettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

    from paydispatch.services.serve_flows import FlowServer


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("worker", help="run the flows of one worker, or of all")
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "--worker-id",
        action="append",
        metavar="W",
        help="serve this worker; may be given several times",
    )
    parser.add_argument(
        "--tenant", metavar="T", help="whose workers these are (the queue's tenant: QUEUE_TENANT)"
    )
    chosen.add_argument("--all", action="store_true", help="serve every worker there is")
    parser.add_argument(
        "--flows", type=Path, metavar="DIR", help="the flows folder (FLOWS_DIR, or ./flows)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 after Ctrl-C or SIGTERM, when the flows under way have ended. Raises `BadSetting`."""
    from paydispatch.adapters.redis_connection import refuse_eviction

    settings = RunnerSettings.from_env()
    settings = replace(settings, flows_dir=flows_folder(arguments.flows))
    refuse_eviction(settings.redis_url, allowed=settings.allow_eviction)
    asyncio.run(_serve(settings, _worker_slots(arguments, settings)))
    return 0


def _worker_slots(
    arguments: argparse.Namespace, settings: RunnerSettings
) -> Collection[str] | None:
    """Return the names of the workers' slots in Redis. None: every one there is."""
    if arguments.all:
        return None
    tenant = arguments.tenant or settings.queue_tenant
    return frozenset(slot_name(tenant, id_, settings.queue_tenant) for id_ in arguments.worker_id)


async def _serve(settings: RunnerSettings, workers: Collection[str] | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await _server(settings).serve(workers, stop)
    leave_soon(0)


def _server(settings: RunnerSettings) -> FlowServer:
    from flow_runner.compose import compose
    from paydispatch.adapters.journal import PowertoolsJournal, json_logger

    consumer = f"{socket.gethostname()}-{os.getpid()}"
    return compose(settings, PowertoolsJournal(json_logger("flow_worker")), consumer=consumer)
