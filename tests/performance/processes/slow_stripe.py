"""A stand-in for Stripe in a process of its own: it answers each POST after the same time, with a payment intent.

    python tests/performance/processes/slow_stripe.py ANSWER_AFTER_MS

Prints its port. It reads no form and checks nothing, so that it takes little of the machine that is measured.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

INTENT = {
    "id": "pi_0",
    "object": "payment_intent",
    "amount": 2000,
    "amount_capturable": 0,
    "amount_details": {"tip": {}},
    "amount_received": 0,
    "automatic_payment_methods": None,
    "canceled_at": None,
    "capture_method": "automatic_async",
    "client_secret": "pi_0_not_a_secret",
    "confirmation_method": "automatic",
    "created": 1_760_000_000,
    "currency": "usd",
    "customer": "cus_1",
    "description": "An order of a benchmark",
    "last_payment_error": None,
    "latest_charge": None,
    "livemode": False,
    "metadata": {"order": "1001"},
    "next_action": None,
    "payment_method": None,
    "payment_method_options": {"card": {"installments": None, "network": None}},
    "payment_method_types": ["card"],
    "processing": None,
    "receipt_email": None,
    "setup_future_usage": None,
    "shipping": None,
    "statement_descriptor": None,
    "status": "requires_payment_method",
    "transfer_data": None,
    "transfer_group": None,
}
ACCOUNT = {"id": "acct_1", "object": "account"}


class SlowStripe(asyncio.Protocol):
    """One connection. It takes one request at a time, as HTTP/1.1 without pipelining does."""

    answer_after_s = 0.3
    numbers = itertools.count(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._received = b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._received = b""
        if head.startswith(b"POST"):
            asyncio.get_running_loop().call_later(self.answer_after_s, self._answer, INTENT)
        else:
            self._answer(ACCOUNT)

    def _answer(self, thing: dict[str, object]) -> None:
        body = json.dumps({**thing, "id": f"{thing['id']}_{next(self.numbers)}"}, indent=2).encode()
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_1\r\n"
            f"Stripe-Version: 2025-01-01\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def main() -> None:
    SlowStripe.answer_after_s = float(sys.argv[1]) / 1000
    server = await asyncio.get_running_loop().create_server(SlowStripe, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
