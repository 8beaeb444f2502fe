"""Measure the cost of a dispatch for its caller and for the process: from `create_async` until SQS has the message.

    python tests/performance/dispatch.py [--calls 2000] [--rounds 5] [--json]

A process with a stub of SQS and KMS answers as AWS does, in AWS's JSON protocol. Prints medians over the rounds, first
on an idle machine and then beside a busy process for each core: the time until `create_async` returned (µs, p50 and
p99), the CPU time of that call (a busy machine changes it less), and the CPU time of the process per message, from
`create_async` until all receipts are durable. It judges nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from paydispatch import Dispatcher, new_payment_intent

if TYPE_CHECKING:
    from collections.abc import Iterator

BURST = 100
"""Calls come in bursts of this many. Between two bursts the Dispatcher's thread sends."""


class Aws(asyncio.Protocol):
    """Answers GenerateDataKey and SendMessageBatch. Cheap, because it shares the machine with the Dispatcher."""

    def connection_made(self, transport: Any) -> None:
        self._transport, self._unread = transport, b""

    def data_received(self, data: bytes) -> None:
        self._unread += data
        head, found, body = self._unread.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if found and len(body) >= length:
            self._unread = b""
            said = json.dumps(_answer(b"sendmessagebatch" in head.lower(), body)).encode()
            kind = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\n"
            more = b"x-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n"
            self._transport.write(
                kind + more + f"Content-Length: {len(said)}\r\n\r\n".encode() + said
            )


def _answer(is_batch: bool, body: bytes) -> dict[str, Any]:
    if not is_batch:
        plain, wrapped = base64.b64encode(b"k" * 32), base64.b64encode(b"w" * 184)
        return {"Plaintext": plain.decode(), "CiphertextBlob": wrapped.decode(), "KeyId": "k"}
    entries = json.loads(body)["Entries"]
    return {
        "Successful": [
            {
                "Id": entry["Id"],
                "MessageId": "00000000-0000-0000-0000-000000000000",
                "MD5OfMessageBody": "0" * 32,
            }
            for entry in entries
        ]
    }


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Aws, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def run_once(calls: int) -> dict[str, float]:
    """Dispatch so many payments. Return the figures of this process."""
    calls_made: list[tuple[float, float]] = []
    with Dispatcher.from_env() as dispatcher:
        _dispatch(BURST)  # connects, and makes the slow first calls
        dispatcher.flush()
        before = time.process_time()
        for _ in range(calls // BURST):
            calls_made += _dispatch(BURST)
            dispatcher.flush()
        used = time.process_time() - before
    times, own = (sorted(column) for column in zip(*calls_made, strict=True))
    return {
        "returned_p50_us": 1e6 * times[len(times) // 2],
        "returned_p99_us": 1e6 * times[int(len(times) * 0.99)],
        "returned_cpu_p50_us": 1e6 * own[len(own) // 2],
        "cpu_per_message_us": 1e6 * used / len(times),
    }


def _dispatch(calls: int) -> list[tuple[float, float]]:
    """Return the time and the CPU time of each call."""
    times = []
    for number in range(calls):
        payment = new_payment_intent().amount(1000 + number).currency("usd")
        payment.customer("cus_performance").metadata({"order": str(number)})
        started, cpu = time.perf_counter(), time.thread_time()
        payment.create_async("performance", f"order-{number}", "sk_test_performance")
        used = time.thread_time() - cpu
        times.append((time.perf_counter() - started, used))
    return times


def measure(calls: int, rounds: int) -> dict[str, Any]:
    """Return the medians over the rounds, each of which runs in a new process."""
    idle, busy = [], []
    for _ in range(rounds):
        idle.append(_in_new_process(calls))
        with busy_cores():
            busy.append(_in_new_process(calls))
    return {"idle": _medians(idle), "busy": _medians(busy)}


def _medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(statistics.median(run[name] for run in runs), 1) for name in runs[0]}


def _in_new_process(calls: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", "--calls", str(calls)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(ran.stdout)
    return figures


@contextmanager
def busy_cores() -> Iterator[None]:
    spinners = [
        multiprocessing.Process(target=_spin, daemon=True) for _ in range(os.cpu_count() or 1)
    ]
    for spinner in spinners:
        spinner.start()
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.join()


def _spin() -> None:
    while True:
        pass


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
    elif arguments.one:
        print(json.dumps(run_once(arguments.calls)))
    else:
        figures = _with_stub(arguments)
        print(json.dumps(figures) if arguments.json else _table(figures))
    return 0


def _with_stub(arguments: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        assert stub.stdout is not None
        base = f"http://127.0.0.1:{stub.stdout.readline().strip()}"
        os.environ.update(
            AWS_ENDPOINT_URL=base,
            AWS_DEFAULT_REGION="us-east-1",
            AWS_ACCESS_KEY_ID="performance",
            AWS_SECRET_ACCESS_KEY="performance",
            AWS_EC2_METADATA_DISABLED="true",
            REQUEST_QUEUE_URL=f"{base}/000000000000/requests",
            BATCH_QUEUE_URL=f"{base}/000000000000/batch",
            SEALING_KEY_ID="alias/performance",
        )
        try:
            return measure(arguments.calls, arguments.rounds)
        finally:
            stub.terminate()


def _table(figures: dict[str, Any]) -> str:
    return "\n".join(
        f"{when:5} {name:22} {value:8.1f}"
        for when, row in figures.items()
        for name, value in row.items()
    )


if __name__ == "__main__":
    sys.exit(main())
