"""`paydispatch twin`: runs the Stripe twin alone, for any program that calls Stripe."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import TYPE_CHECKING

from paydispatch.cli.arguments import port
from paydispatch.cli.extras import LOCAL
from paydispatch.cli.terminal import say_json, say_lines
from paydispatch.domain.errors import PaydispatchError

if TYPE_CHECKING:
    import argparse

DEFAULT_PORT = 12111
_PORTS_TRIED = 100


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from paydispatch.twin.serving.options import add_options

    parser = subparsers.add_parser(
        "twin",
        help="run a local stand-in for Stripe's API",
        description="Run a local stand-in for Stripe's API until Ctrl-C.",
        epilog="""\
examples:
  paydispatch twin
  paydispatch twin --port 0 --json
  paydispatch twin --lenient --seed 1""",
    )
    parser.add_argument(
        "--port",
        type=port,
        help=f"port to listen on; 0 picks any free port (default: {DEFAULT_PORT}, or the next free port)",
    )
    parser.add_argument("--json", action="store_true", help="print the URL as one JSON line")
    add_options(parser)
    parser.set_defaults(run=run, extra=LOCAL)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM. Raises `PaydispatchError` if the port is in use."""
    with _listener(arguments.port) as listener:
        asyncio.run(_serve(arguments, listener))
    return 0


def _listener(wanted: int | None) -> socket.socket:
    """Return a listening socket on the port `wanted`. For None, use the first free port from the default one on."""
    if wanted is not None:
        return _listener_on(wanted)
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + _PORTS_TRIED):
        try:
            return socket.create_server(("127.0.0.1", candidate), backlog=1024)
        except OSError:
            continue
    return socket.create_server(("127.0.0.1", 0), backlog=1024)


def _listener_on(wanted: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", wanted), backlog=1024)
    except OSError as error:
        raise PaydispatchError(f"Cannot listen on port {wanted}: {error.strerror}.") from error


async def _serve(arguments: argparse.Namespace, listener: socket.socket) -> None:
    from paydispatch.twin.serving.lifetime import stop_on_signals
    from paydispatch.twin.serving.options import options_of
    from paydispatch.twin.serving.server import serve

    stopped = asyncio.Event()
    stop_on_signals(stopped)
    async with serve(options_of(arguments).build(), listener) as base_url:
        _say_ready(base_url, as_json=arguments.json)
        await stopped.wait()


def _say_ready(base_url: str, *, as_json: bool) -> None:
    if as_json:
        say_json({"stripe_base": base_url})
        return
    say_lines(
        f"The Stripe twin listens on {base_url}\n"
        f"  curl {base_url}/v1/products -u sk_test_any: -d name=Tea\n"
        f"  curl {base_url}/_twin/ledger\n"
        "Ctrl-C stops it."
    )
    sys.stdout.flush()
