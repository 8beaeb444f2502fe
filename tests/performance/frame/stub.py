"""A server that answers as SQS, KMS and Stripe do, at almost no cost: a program measures itself, not an emulator.

    python tests/performance/frame/stub.py [--stripe-ms 300]

Prints its port on one line. Every message is accepted and can be received once, every data key is the same, and every
POST to Stripe returns a payment intent after the given time. `GET /counts` returns the number of requests by action.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
import time
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DATA_KEY = base64.b64encode(bytes(32)).decode()
WRAPPED_KEY = base64.b64encode(b"wrapped" * 20).decode()
INTENT = json.dumps(
    {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 2000,
        "currency": "usd",
        "status": "requires_payment_method",
        "livemode": False,
        "metadata": {},
        "description": "x" * 2400,
    }
).encode()
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\n"
    b"Content-Length: %d\r\n\r\n"
)
RECEIVED_AT_ONCE = 10
ACCOUNT = json.dumps({"id": "acct_1", "object": "account"}).encode()


class Queues:
    """The messages of each queue, and the requests by action and queue."""

    def __init__(self) -> None:
        self._bodies: defaultdict[str, deque[str]] = defaultdict(deque)
        self.counts: Counter[str] = Counter()

    def answer(self, target: str, asked: dict[str, Any]) -> bytes:
        action = target.rpartition(".")[2]
        url = asked.get("QueueUrl", "")
        self.counts[f"{action} {url.rpartition('/')[2]}".strip()] += 1
        if action == "SendMessageBatch":
            self._bodies[url] += (entry["MessageBody"] for entry in asked["Entries"])
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "GenerateDataKey": lambda: {
                "Plaintext": DATA_KEY,
                "CiphertextBlob": WRAPPED_KEY,
                "KeyId": "key",
            },
            "Decrypt": lambda: {"Plaintext": DATA_KEY, "KeyId": "key"},
            "SendMessage": lambda: {"MessageId": "m", "MD5OfMessageBody": "0" * 32},
            "SendMessageBatch": lambda: {
                "Successful": [_sent(entry) for entry in asked["Entries"]],
                "Failed": [],
            },
            "ReceiveMessage": lambda: {"Messages": self._receive(url)},
            "DeleteMessageBatch": lambda: {"Successful": [], "Failed": []},
        }
        return json.dumps(answers[action]()).encode()

    def _receive(self, url: str) -> list[dict[str, Any]]:
        bodies = self._bodies[url]
        taken = [bodies.popleft() for _ in range(min(RECEIVED_AT_ONCE, len(bodies)))]
        return [_received(body, number) for number, body in enumerate(taken)]


def _sent(entry: dict[str, Any]) -> dict[str, Any]:
    return {"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": _md5(entry["MessageBody"])}


def _received(body: str, number: int) -> dict[str, Any]:
    return {
        "MessageId": f"{id(body)}-{number}",
        "ReceiptHandle": "handle",
        "Body": body,
        "MD5OfBody": _md5(body),
        "Attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": f"{time.time() * 1000:.0f}",
        },
    }


class Stub(asyncio.Protocol):
    """Reads requests with a Content-Length, one after the other on each connection."""

    def __init__(self, queues: Queues, stripe_s: float) -> None:
        self._queues, self._stripe_s = queues, stripe_s
        self._data = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].decode("latin-1")
            fields = _fields(head)
            length = int(fields.get("content-length", "0"))
            if fields.get("expect", "").lower() == "100-continue" and len(self._data) == end + 4:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if len(self._data) < end + 4 + length:
                return
            body = self._data[end + 4 : end + 4 + length]
            self._data = self._data[end + 4 + length :]
            self._answer(head.split(" ", 2)[1], fields, body)

    def _answer(self, path: str, fields: dict[str, str], body: bytes) -> None:
        target = fields.get("x-amz-target", "")
        if target:
            self._write(self._queues.answer(target, json.loads(body or b"{}")))
        elif path == "/counts":
            self._write(json.dumps(self._queues.counts).encode())
        elif path.startswith("/v1/account"):
            self._write(ACCOUNT)
        else:
            asyncio.get_running_loop().call_later(self._stripe_s, self._write, INTENT)

    def _write(self, body: bytes) -> None:
        self._transport.write(HEAD % len(body) + body)


def _fields(head: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stripe-ms", type=float, default=300.0)
    stripe_s = parser.parse_args().stripe_ms / 1000
    loop = asyncio.get_running_loop()
    queues = Queues()
    server = await loop.create_server(lambda: Stub(queues, stripe_s), "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
