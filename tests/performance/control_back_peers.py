"""Measure how long the peers keep their caller: task queues over Redis, and boto3 over SQS.

    .venv-bench/bin/python -m tests.performance.control_back_peers --peer dramatiq [--calls 400]

Each hands over the parameters of the same payment as one task or message. Redis is named by `BENCH_REDIS_URL`, and the
stub of SQS by `BENCH_AWS_URL`. Prints one line of JSON for each figure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from tests.performance.frame.sample import (
    PARAMS,
    WARM_CALLS,
    cpu_us_of,
    print_control_back,
    print_figure,
)

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "us-east-1"
BODY = {"worker_id": "performance", "context_id": "order-1", "params": PARAMS}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", choices=sorted(PEERS), required=True)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--messages", type=int, default=1_000)
    arguments = parser.parse_args()
    PEERS[arguments.peer](arguments.peer, arguments.calls, arguments.messages)
    return 0


def dramatiq(name: str, calls: int, _messages: int) -> None:
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_REDIS_URL"]))

    @dramatiq.actor
    def create(body: dict[str, Any]) -> None: ...

    print_control_back(name, lambda _: create.send(BODY), calls)


def rq(name: str, calls: int, _messages: int) -> None:
    from redis import Redis
    from rq import Queue

    queue = Queue("bench", connection=Redis.from_url(os.environ["BENCH_REDIS_URL"]))
    print_control_back(name, lambda _: queue.enqueue("builtins.print", BODY), calls)


def celery(name: str, calls: int, _messages: int) -> None:
    from celery import Celery

    app = Celery("bench", broker=os.environ["BENCH_REDIS_URL"])

    @app.task(name="create", ignore_result=True)
    def create(body: dict[str, Any]) -> None: ...

    print_control_back(name, lambda _: create.delay(BODY), calls)


def arq(name: str, calls: int, _messages: int) -> None:
    from arq import create_pool
    from arq.connections import RedisSettings

    loop = asyncio.new_event_loop()
    pool = loop.run_until_complete(
        create_pool(RedisSettings.from_dsn(os.environ["BENCH_REDIS_URL"]))
    )
    _print_async(name, loop, lambda: pool.enqueue_job("create", BODY), calls)


def taskiq(name: str, calls: int, _messages: int) -> None:
    from taskiq_redis import ListQueueBroker

    broker = ListQueueBroker(os.environ["BENCH_REDIS_URL"])

    @broker.task(task_name="create")
    async def create(body: dict[str, Any]) -> None: ...

    loop = asyncio.new_event_loop()
    loop.run_until_complete(broker.startup())
    _print_async(name, loop, lambda: create.kiq(BODY), calls)


def boto3_send(name: str, calls: int, messages: int) -> None:
    sqs, queue = _sqs(), f"{os.environ['BENCH_AWS_URL']}/queue"
    body = json.dumps(BODY)

    def send(_number: int = 0) -> None:
        sqs.send_message(QueueUrl=queue, MessageBody=body)

    print_control_back(name, send, calls)
    messages //= 4
    print_figure("dispatch", name, "us", [round(_cpu(send, messages, messages), 1)])


def boto3_batch(name: str, _calls: int, messages: int) -> None:
    """Send ten in one request. It returns after the answer, so it is a row of `dispatch` alone."""
    sqs, queue = _sqs(), f"{os.environ['BENCH_AWS_URL']}/queue"

    def send() -> None:
        entries = [{"Id": str(n), "MessageBody": json.dumps(BODY)} for n in range(10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)

    print_figure("dispatch", name, "us", [round(_cpu(send, messages // 10, messages), 1)])


def _cpu(send: Callable[[], object], times: int, messages: int) -> float:
    for _ in range(WARM_CALLS // 10):
        send()
    return cpu_us_of(lambda: [send() for _ in range(times)], messages)


def _sqs() -> Any:
    import boto3

    return boto3.client(
        "sqs",
        region_name=REGION,
        endpoint_url=os.environ["BENCH_AWS_URL"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )


def _print_async(name: str, loop: Any, enqueue: Callable[[], Any], calls: int) -> None:
    """Time a coroutine to its end, because the caller of an async library awaits it."""
    print_control_back(name, lambda _: loop.run_until_complete(enqueue()), calls)
    loop.close()


PEERS: dict[str, Callable[[str, int, int], None]] = {
    "dramatiq": dramatiq,
    "rq": rq,
    "celery": celery,
    "arq": arq,
    "taskiq": taskiq,
    "boto3 send": boto3_send,
    "boto3 batch of ten": boto3_batch,
}

if __name__ == "__main__":
    sys.exit(main())
