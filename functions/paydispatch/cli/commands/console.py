"""`paydispatch console`: serves the web page of operators on this machine until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import secrets
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import port
from paydispatch.cli.extras import WORKER
from paydispatch.cli.operate import add_stack, ask
from paydispatch.cli.terminal import say, say_json

if TYPE_CHECKING:
    import argparse
    import socket

TOKEN = "PAYDISPATCH_CONSOLE_TOKEN"  # noqa: S105 - the name of the variable # nosec B105
API = "PAYDISPATCH_CONSOLE_API"
TWIN = "PAYDISPATCH_CONSOLE_TWIN"
"""`paydispatch local` sets the three for its console."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "console",
        help="serve the operators' web page on this machine",
        description="Serve a page on loopback that shows what waits and why, the path of each request, and the "
        "commands that help. With --stack it has no list of recent requests.",
        epilog="""\
examples:
  paydispatch console
  paydispatch console --port 8090 --stack paydispatch""",
    )
    parser.add_argument("--port", type=port, default=0, help="port (default: 0, a free port)")
    parser.add_argument("--fd", type=int, help="an inherited listening socket, instead of a port")
    parser.add_argument("--json", action="store_true", help="print the address as one JSON line")
    add_stack(parser)
    parser.set_defaults(run=run, extra=WORKER)


def run(arguments: argparse.Namespace) -> int:
    """Return only after Ctrl-C, which `main` turns into its exit code."""
    token = os.environ.get(TOKEN) or secrets.token_urlsafe(24)
    listener = _listen(arguments)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/?token={token}"
    asyncio.run(_serve(arguments, listener, token, address))
    return 0


def _listen(arguments: argparse.Namespace) -> socket.socket:
    import socket

    from paydispatch.local.listening import listen_on_loopback

    if arguments.fd is None:
        return listen_on_loopback(arguments.port)
    listener = socket.socket(fileno=arguments.fd)
    listener.setblocking(False)
    return listener


async def _serve(
    arguments: argparse.Namespace, listener: socket.socket, token: str, address: str
) -> None:
    from paydispatch.compose.console.serve import serve

    async with serve(
        lambda command, given: ask(arguments, command, **given),
        listener,
        token=token,
        reads_redis=arguments.stack is None,
        api=os.environ.get(API),
        twin=os.environ.get(TWIN),
    ):
        if arguments.json:
            say_json({"ready": address})
        else:
            say(f"console: {address}")
        await asyncio.Event().wait()
