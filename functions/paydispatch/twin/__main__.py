"""Runs the twin as a separate process: `python -m paydispatch.twin --port 0`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import socket

from paydispatch.twin.serving.lifetime import stop_on_signals, stop_with_parent
from paydispatch.twin.serving.options import TwinOptions, add_options, options_of
from paydispatch.twin.serving.server import run


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="paydispatch.twin", description="Run a local stand-in for Stripe's API."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=int, default=0, help="port to listen on; 0 picks a free one (the default)"
    )
    parser.add_argument("--parent-pid", type=int, help="stop when the process with this id ends")
    add_options(parser)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    with socket.create_server((arguments.host, arguments.port), backlog=1024) as listener:
        asyncio.run(_run(options_of(arguments), listener, arguments.parent_pid))


async def _run(options: TwinOptions, listener: socket.socket, parent_pid: int | None) -> None:
    stopped = asyncio.Event()
    stop_on_signals(stopped)
    async with asyncio.TaskGroup() as tasks:
        watch = parent_pid and tasks.create_task(stop_with_parent(parent_pid, stopped))
        await run(options.build(), listener, stopped)
        if watch:
            watch.cancel()


if __name__ == "__main__":
    main()
