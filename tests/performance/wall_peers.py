"""Measure the wall time of 10 and of 100 calls as other programs make them, of a Stripe that answers after 300 ms.

    python -m tests.performance.wall_peers --peer loop|gather [--most 100]

`loop` is the usual batch processor: Powertools hands over one message after the other, and each makes its call with
Stripe's library. `gather` makes all calls at once with httpx, and does nothing else: no guards and no outcomes. Stripe
is the stub named by `BENCH_STRIPE_URL`. Prints one line of JSON for each figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time

import httpx
import stripe
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from tests.performance.frame.sample import PARAMS, print_figure

COUNTS = (10, 100)
NAMES = {"loop": "Powertools, one after the other", "gather": "httpx, gathered, nothing else"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", choices=sorted(NAMES), required=True)
    parser.add_argument("--most", type=int, default=100)
    arguments = parser.parse_args()
    url = os.environ["BENCH_STRIPE_URL"]
    measure = {"loop": loop_ms, "gather": gather_ms}[arguments.peer]
    for count in COUNTS:
        if count <= arguments.most:
            taken_ms = round(measure(url, count), 1)
            print_figure(f"wall_{count}", NAMES[arguments.peer], "ms", [taken_ms])
    return 0


def loop_ms(url: str, count: int) -> float:
    client = stripe.StripeClient("sk_test_performance", base_addresses={"api": url})
    processor = BatchProcessor(event_type=EventType.SQS)

    def create(record: object) -> None:
        client.v1.payment_intents.create({"amount": 2000, "currency": "usd"})

    create(None)  # connects
    event = {"Records": [_record(number) for number in range(count)]}
    began = time.perf_counter()
    answer = process_partial_response(event, create, processor)
    if answer["batchItemFailures"]:
        raise SystemExit("A call failed.")
    return (time.perf_counter() - began) * 1000


def gather_ms(url: str, count: int) -> float:
    return asyncio.run(_gather_ms(url, count))


async def _gather_ms(url: str, count: int) -> float:
    limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client:
        call = client.post
        data = {"amount": PARAMS["amount"], "currency": PARAMS["currency"]}
        await asyncio.gather(*(call("/v1/payment_intents", data=data) for _ in range(count)))
        began = time.perf_counter()
        await asyncio.gather(*(call("/v1/payment_intents", data=data) for _ in range(count)))
        return (time.perf_counter() - began) * 1000


def _record(number: int) -> dict[str, object]:
    return {
        "messageId": str(number),
        "receiptHandle": "handle",
        "body": json.dumps(PARAMS),
        "attributes": {},
        "messageAttributes": {},
        "md5OfBody": "",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
        "awsRegion": "us-east-1",
    }


if __name__ == "__main__":
    sys.exit(main())
