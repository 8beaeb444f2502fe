"""`paydispatch worker`: runs the flows of a worker in a process that can reach Redis and SQS."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import flows_folder
from paydispatch.cli.bounded_exit import leave_soon
from paydispatch.cli.extras import WORKER
from paydispatch.domain.errors import BadSetting
from paydispatch.domain.identity.slots import slot_name
from paydispatch.settings import RunnerSettings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection

    from paydispatch.compose.flow_runner import ServerPorts


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "worker",
        help="run the flows of one worker, or of all",
        description="Run flows until Ctrl-C or SIGTERM, and finish the current ones before the end.",
        epilog="""\
examples:
  paydispatch worker --all
  paydispatch worker --worker-id payment-worker-1 --flows flows
  paydispatch worker --worker-id payment-worker-1 --worker-id payment-worker-2 --tenant acme
  paydispatch worker --worker-id payment-worker-1 --only 'new_create_refund_*'""",
    )
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "--worker-id",
        action="append",
        metavar="W",
        help="run the flows of this worker; may be repeated",
    )
    parser.add_argument(
        "--tenant", metavar="T", help="tenant of these workers (default: QUEUE_TENANT)"
    )
    chosen.add_argument(
        "--all", action="store_true", help="run the flows of every worker of every tenant"
    )
    parser.add_argument(
        "--flows",
        type=Path,
        metavar="DIR",
        help="folder of the flow scripts (default: FLOWS_DIR, or ./flows)",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="PATTERN",
        help="run only scripts with such names, and leave the others to other processes of the same worker; may be "
        "repeated (default: FLOWS_ONLY, or all)",
    )
    parser.set_defaults(run=run, extra=WORKER)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 after Ctrl-C or SIGTERM, once the current flows have ended. Raises `BadSetting`."""
    from paydispatch.adapters.redis.connection import refuse_eviction

    settings = RunnerSettings.from_env()
    settings = replace(
        settings,
        flows_dir=flows_folder(arguments.flows),
        flows_only=tuple(arguments.only or settings.flows_only),
    )
    workers = slots_to_serve(arguments, settings.queue_tenant)
    refuse_eviction(settings.redis_url, allowed=settings.allow_eviction)
    asyncio.run(_serve(settings, workers))
    return 0


def slots_to_serve(arguments: argparse.Namespace, queue_tenant: str) -> frozenset[str] | None:
    """Return the names of the workers' slots to serve, or None for all of them. Raises `BadSetting`."""
    if not arguments.all:
        tenant = arguments.tenant or queue_tenant
        return frozenset(slot_name(tenant, id_, queue_tenant) for id_ in arguments.worker_id)
    if arguments.tenant:
        raise BadSetting(
            "--tenant needs --worker-id, because --all serves the workers of every tenant."
        )
    return None


async def _serve(settings: RunnerSettings, workers: Collection[str] | None) -> None:
    from paydispatch.compose.flow_runner import compose
    from paydispatch.services.check_flows import report_faults

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    ports = _connect(settings)
    checking = asyncio.create_task(
        report_faults(ports.flows.scripts, ports.flows.log, settings.flows_only)
    )
    await compose(settings, ports).serve(workers, stop)
    checking.cancel()
    leave_soon(0)


def _connect(settings: RunnerSettings) -> ServerPorts:
    from paydispatch.adapters.event_log import PowertoolsEventLog, json_logger
    from paydispatch.compose.flow_runner import connect, connect_queue

    consumer = f"{socket.gethostname()}-{os.getpid()}"
    log = PowertoolsEventLog(json_logger("flow_worker"))
    queue = connect_queue(settings)  # now, so that a missing region ends the command at its start
    return connect(settings, log, consumer=consumer, queue=queue)
