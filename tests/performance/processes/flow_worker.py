"""Run one flow worker in a new process, as `paydispatch worker` composes it, and print its figures as one JSON line.

    python tests/performance/processes/flow_worker.py drain WORKER WARM_UP
    python tests/performance/processes/flow_worker.py serve WORKER FLOWS

The first runs the entries on the stream of WORKER, after those on that of WARM_UP. The second runs until so many flows
have run. The environment is that of `paydispatch worker`. The log lines go to `LOG_TO` (default: /dev/null).
`PYTHONPATH` chooses the source, so that another commit can be measured.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from typing import TYPE_CHECKING

from paydispatch.adapters.event_log import PowertoolsEventLog, json_logger
from paydispatch.compose.flow_runner import compose, connect, connect_queue
from paydispatch.settings import RunnerSettings

if TYPE_CHECKING:
    from paydispatch.services.serve_flows import FlowServer


def make_server() -> FlowServer:
    settings = RunnerSettings.from_env()
    log = PowertoolsEventLog(json_logger("flow_worker"))
    queue = connect_queue(settings)
    return compose(
        settings, connect(settings, log, consumer=f"measured-{os.getpid()}", queue=queue)
    )


async def drain(worker_id: str, warm_up: str) -> dict[str, float]:
    """Run the entries of both workers. Return the figures of the first."""
    server = make_server()
    await server.drain_all({warm_up})
    gc.collect()
    began, cpu = time.perf_counter(), time.process_time()
    flows = await server.drain_all({worker_id})
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    return {"flows": flows, "wall_s": wall_s, "cpu_s": cpu_s}


async def serve(worker_id: str, flows: int) -> dict[str, object]:
    """Serve the worker until its script has run so often. Return the notes of the script."""
    import builtins

    delays_ms: list[float] = []
    builtins.__dict__["delays_ms"] = delays_ms  # the script appends to it
    stop = asyncio.Event()
    serving = asyncio.create_task(make_server().serve({worker_id}, stop))
    while len(delays_ms) < flows:  # noqa: ASYNC110 - another thread appends
        await asyncio.sleep(0.05)
    stop.set()
    await serving
    return {"delays_ms": delays_ms, "cpu_s": time.process_time()}


def main() -> None:
    sys.stdout.flush()
    out = os.fdopen(os.dup(1), "w")  # the figures. The log of the worker takes the place of stdout.
    log = os.open(os.environ.get("LOG_TO", os.devnull), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    mode, worker_id, *more = sys.argv[1:]
    work = drain(worker_id, more[0]) if mode == "drain" else serve(worker_id, int(more[0]))
    print(json.dumps(asyncio.run(work)), file=out, flush=True)
    os._exit(0)  # a thread of a script may be left


if __name__ == "__main__":
    main()
