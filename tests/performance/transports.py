"""Compare HTTP clients for the call to Stripe: time, CPU time and the cost of their import.

    python tests/performance/transports.py [--in-flight 10 100 1000] [--turns 5] [--only NAME ...] [--json]

A server in another process answers each POST after 300 ms with a payment intent. Each client runs in a new process: one
cold round, then three warm ones of that many calls at once. The clients take turns, so that other work on the machine
meets all of them. Clients whose library is not installed are left out. Prints medians and judges nothing: the wall time
of a round (ms), the CPU time of the client's process per call (ms), and the CPU time of the import (ms).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Call = Callable[[], Awaitable[Any]]
    Close = Callable[[], Awaitable[Any]]

DELAY_S = 0.3
WARM_ROUNDS = 3
KEY = "sk_test_performance"
PARAMS = {"amount": 2000, "currency": "usd", "metadata": {"order": "1001"}}
HEADERS = {
    "Authorization": f"Bearer {KEY}",
    "Content-Type": "application/x-www-form-urlencoded",
    "Idempotency-Key": "pdr_1",
}
FORM = b"amount=2000&currency=usd&metadata[order]=1001"
PATH = "/v1/payment_intents"
ANSWER = json.dumps({"id": "pi_1", "object": "payment_intent", "filler": "x" * 1_200}).encode()


async def ours(base: str, connections: int) -> tuple[Call, Close]:
    """The gateway of the Stripe caller, with its encoding and its verdict."""
    from paydispatch.adapters.stripe.client import StripeClient
    from paydispatch.adapters.stripe.gateway import HttpStripeGateway
    from paydispatch.domain.credentials import StripeKey

    client = StripeClient(base, connections=connections)
    gateway, key = HttpStripeGateway(client), StripeKey(KEY)

    async def call() -> None:
        await gateway.call(
            method="POST",
            path=PATH,
            params=PARAMS,
            key=key,
            request_id="pdr_1",
            stripe_account=None,
        )

    return call, client.aclose


async def aiohttp(base: str, connections: int) -> tuple[Call, Close]:
    from aiohttp import ClientSession, TCPConnector

    session = ClientSession(connector=TCPConnector(limit=connections))

    async def call() -> None:
        async with session.post(base + PATH, data=FORM, headers=HEADERS) as response:
            json.loads(await response.read())

    return call, session.close


async def httpx(base: str, connections: int) -> tuple[Call, Close]:
    from httpx import AsyncHTTPTransport, Limits

    limits = Limits(max_connections=connections, max_keepalive_connections=connections)
    return _over_httpx(base, AsyncHTTPTransport(limits=limits))


async def httpx_aiohttp(base: str, connections: int) -> tuple[Call, Close]:
    from httpx import Limits
    from httpx_aiohttp import AiohttpTransport

    return _over_httpx(base, AiohttpTransport(limits=Limits(max_connections=connections)))


async def pyreqwest_httpx(base: str, connections: int) -> tuple[Call, Close]:
    from pyreqwest.client import ClientBuilder
    from pyreqwest.compatibility.httpx import HttpxTransport

    client = ClientBuilder().no_proxy().max_connections(connections).build()
    return _over_httpx(base, HttpxTransport(client))


async def pyreqwest(base: str, connections: int) -> tuple[Call, Close]:
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().no_proxy().max_connections(connections).build()

    async def call() -> None:
        request = client.post(base + PATH).headers(HEADERS).body_bytes(FORM).build()
        json.loads(bytes(await (await request.send()).bytes()))

    async def close() -> None:
        await client.close()
        await asyncio.sleep(0.1)  # its thread may abort a process that ends right after a call

    return call, close


async def niquests(base: str, connections: int) -> tuple[Call, Close]:
    from niquests import AsyncSession

    session = AsyncSession(pool_maxsize=connections)

    async def call() -> None:
        json.loads((await session.post(base + PATH, data=FORM, headers=HEADERS)).content)

    return call, session.close


async def stripe_httpx(base: str, _: int) -> tuple[Call, Close]:
    import stripe

    return _over_stripe(base, stripe.HTTPXClient(timeout=80))


async def stripe_aiohttp(base: str, _: int) -> tuple[Call, Close]:
    import stripe

    return _over_stripe(base, stripe.AIOHTTPClient(timeout=80))


def _over_httpx(base: str, transport: Any) -> tuple[Call, Close]:
    from httpx import AsyncClient

    client = AsyncClient(base_url=base, transport=transport, timeout=80, trust_env=False)

    async def call() -> None:
        json.loads((await client.post(PATH, content=FORM, headers=HEADERS)).content)

    return call, client.aclose


def _over_stripe(base: str, http: Any) -> tuple[Call, Close]:
    from stripe import StripeClient

    client = StripeClient(
        KEY, http_client=http, base_addresses={"api": base}, max_network_retries=0
    )

    async def call() -> None:
        params: Any = PARAMS
        await client.v1.payment_intents.create_async(params, {"idempotency_key": "pdr_1"})

    return call, http.close_async


CLIENTS: dict[str, tuple[Callable[[str, int], Awaitable[tuple[Call, Close]]], str]] = {
    "paydispatch": (ours, "paydispatch.adapters.stripe.client"),
    "aiohttp": (aiohttp, "aiohttp"),
    "httpx": (httpx, "httpx"),
    "httpx over httpx-aiohttp": (httpx_aiohttp, "httpx_aiohttp"),
    "httpx over pyreqwest": (pyreqwest_httpx, "pyreqwest.compatibility.httpx"),
    "pyreqwest": (pyreqwest, "pyreqwest.client"),
    "niquests": (niquests, "niquests"),
    "stripe over httpx": (stripe_httpx, "stripe"),
    "stripe over aiohttp": (stripe_aiohttp, "stripe"),
}
QUADRATIC = ("httpx", "stripe over httpx")
"""Their pool takes seconds to minutes at 1,000 in flight."""


class Server(asyncio.Protocol):
    """Answers each request after `DELAY_S`. Cheap, because it shares the machine with the client."""

    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\n"

    def connection_made(self, transport: Any) -> None:
        self._transport, self._unread = transport, b""

    def data_received(self, data: bytes) -> None:
        self._unread += data
        head, found, body = self._unread.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if found and len(body) >= int(length or 0):
            self._unread = b""
            said = self.head + f"Content-Length: {len(ANSWER)}\r\n\r\n".encode() + ANSWER
            asyncio.get_running_loop().call_later(DELAY_S, self._transport.write, said)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def run_rounds(name: str, base: str, in_flight: int) -> list[list[float]]:
    """Return wall and CPU time of each round, both in ms, the CPU time per call."""
    call, close = await CLIENTS[name][0](base, in_flight)
    rounds = []
    for _ in range(1 + WARM_ROUNDS):
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(call() for _ in range(in_flight)))
        took, used = time.perf_counter() - began, time.process_time() - cpu
        rounds.append([1_000 * took, 1_000 * used / in_flight])
    await close()
    return rounds


def measure(names: list[str], in_flight: int, turns: int, base: str) -> dict[str, Any]:
    runs: dict[str, list[list[list[float]]]] = {}
    for _ in range(turns):
        for name in names:
            if in_flight < 1_000 or name not in QUADRATIC:
                taken = _in_new_process("--one", name, base, str(in_flight))
                runs.setdefault(name, []).append(taken)
    return {name: _medians(taken) for name, taken in runs.items()}


def _medians(runs: list[list[list[float]]]) -> dict[str, float]:
    cold = [run[0] for run in runs]
    warm = [round_ for run in runs for round_ in run[1:]]
    columns = {"cold": cold, "warm": warm}
    return {
        f"{name}_{figure}": statistics.median(row[place] for row in rows)
        for name, rows in columns.items()
        for place, figure in enumerate(("wall_ms", "cpu_ms"))
    }


def import_cost(name: str, turns: int) -> float:
    """Return the median CPU time (ms) of the import in a new process."""
    program = (
        "import time; t = time.process_time(); import {}; print((time.process_time() - t) * 1e3)"
    )
    command = [sys.executable, "-c", program.format(CLIENTS[name][1])]
    return statistics.median(
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(2 * turns + 1)
    )


def _in_new_process(*arguments: str) -> Any:
    command = [sys.executable, __file__, *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[10, 100, 1_000])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=CLIENTS, default=list(CLIENTS))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
    elif arguments.one:
        name, base, in_flight = arguments.one
        print(json.dumps(asyncio.run(run_rounds(name, base, int(in_flight)))))
    else:
        figures = _compare(arguments)
        print(json.dumps(figures) if arguments.json else _table(figures))
    return 0


def _compare(arguments: argparse.Namespace) -> dict[str, Any]:
    names = [name for name in arguments.only if _is_installed(CLIENTS[name][1])]
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        base = f"http://127.0.0.1:{server.stdout.readline().strip()}"
        try:
            rounds = {
                str(count): measure(names, count, arguments.turns, base)
                for count in arguments.in_flight
            }
        finally:
            server.terminate()
    imports = {name: import_cost(name, arguments.turns) for name in names}
    return {"in_flight": rounds, "import_cpu_ms": imports}


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module.partition(".")[0]) is not None


def _table(figures: dict[str, Any]) -> str:
    lines = ["in flight  client                     cold wall, CPU    warm wall, CPU   (ms)"]
    for count, clients in figures["in_flight"].items():
        for name, row in clients.items():
            cold = f"{row['cold_wall_ms']:8.0f} {row['cold_cpu_ms']:8.3f}"
            warm = f"{row['warm_wall_ms']:8.0f} {row['warm_cpu_ms']:8.3f}"
            lines.append(f"{count:>9}  {name:25}{cold}  {warm}")
    lines += [f"import {name:30}{cost:8.1f}" for name, cost in figures["import_cpu_ms"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
