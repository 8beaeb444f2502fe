"""A server that answers as SQS, KMS and Stripe do, at almost no cost: a program measures itself, not an emulator.

    python tests/performance/frame/stub.py [--stripe-ms 300]

Prints its port on one line. It knows no state: every message is accepted, every data key is the same, and every POST to
Stripe returns a payment intent after the given time.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import json
from typing import Any

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
ACCOUNT = json.dumps({"id": "acct_1", "object": "account"}).encode()


class Stub(asyncio.Protocol):
    """Reads requests with a Content-Length, one after the other on each connection."""

    def __init__(self, stripe_s: float) -> None:
        self._stripe_s = stripe_s
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
            self._write(_aws(target, json.loads(body or b"{}")))
        elif path.startswith("/v1/account"):
            self._write(ACCOUNT)
        else:
            asyncio.get_running_loop().call_later(self._stripe_s, self._write, INTENT)

    def _write(self, body: bytes) -> None:
        self._transport.write(HEAD % len(body) + body)


def _fields(head: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _aws(target: str, asked: dict[str, Any]) -> bytes:
    action = target.rpartition(".")[2]
    answers: dict[str, Any] = {
        "GenerateDataKey": {"Plaintext": DATA_KEY, "CiphertextBlob": WRAPPED_KEY, "KeyId": "key"},
        "Decrypt": {"Plaintext": DATA_KEY, "KeyId": "key"},
        "SendMessage": {"MessageId": "m", "MD5OfMessageBody": _md5(asked.get("MessageBody", ""))},
        "SendMessageBatch": {
            "Successful": [
                {
                    "Id": entry["Id"],
                    "MessageId": "m",
                    "MD5OfMessageBody": _md5(entry["MessageBody"]),
                }
                for entry in asked.get("Entries", ())
            ],
            "Failed": [],
        },
    }
    return json.dumps(answers.get(action, {})).encode()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


async def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stripe-ms", type=float, default=300.0)
    stripe_s = parser.parse_args().stripe_ms / 1000
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stub(stripe_s), "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
