"""Measure the workers of task queues: tasks per second of one core. A task does nothing and has a body of 2.8 KB.

    .venv-bench/bin/python -m tests.performance.flow_peers --peer arq [--tasks 2000]

The tasks are on the queue before the worker starts. The worker is one process with the library's own loop, and counts
the tasks itself: from the first to the last it notes its CPU and the wall time. Redis is named by `BENCH_REDIS_URL`.
Prints two lines of JSON: the tasks per second of CPU, and of wall time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.performance.frame.sample import print_figure

if TYPE_CHECKING:
    from collections.abc import Callable

BODY = {"id": "pi_1", "object": "payment_intent", "metadata": {"order": "1001"}, "text": "x" * 2700}
URL = os.environ.get("BENCH_REDIS_URL", "")
LONGEST_S = 120.0
IN_FLIGHT = 100


class Counter:
    """Counts the tasks in the worker. At the last one it writes its figures and ends the process."""

    def __init__(self, tasks: int, result: Path) -> None:
        self._tasks, self._result = tasks, result
        self._seen = 0
        self._began = (0.0, 0.0)

    def count(self) -> None:
        self._seen += 1
        if self._seen == 1:
            self._began = (time.process_time(), time.perf_counter())
        if self._seen == self._tasks:
            cpu_s, wall_s = self._began
            figures = {"cpu_s": time.process_time() - cpu_s, "wall_s": time.perf_counter() - wall_s}
            self._result.write_text(json.dumps(figures))
            os._exit(0)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", choices=sorted(PEERS), required=True)
    parser.add_argument("--tasks", type=int, default=2_000)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    peer = PEERS[arguments.peer]
    if arguments.worker:
        peer(arguments.tasks, Counter(arguments.tasks, arguments.worker))
        return 0
    _flush()
    peer(arguments.tasks, None)
    with tempfile.TemporaryDirectory() as directory:
        result = Path(directory) / "figures.json"
        command = (sys.executable, "-m", "tests.performance.flow_peers", *sys.argv[1:])
        subprocess.run(
            (*command, "--worker", str(result)), check=True, capture_output=True, timeout=LONGEST_S
        )
        figures = json.loads(result.read_text())
    counted = arguments.tasks - 1
    print_figure("flows", arguments.peer, "per_s", [round(counted / figures["cpu_s"], 1)])
    print_figure("flows wall", arguments.peer, "per_s", [round(counted / figures["wall_s"], 1)])
    return 0


def dramatiq(tasks: int, counter: Counter | None) -> None:
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=URL)
    dramatiq.set_broker(broker)

    @dramatiq.actor
    def run(body: dict[str, Any]) -> None:
        assert counter is not None
        counter.count()

    if counter is None:
        for _ in range(tasks):
            run.send(BODY)
        return
    dramatiq.Worker(broker, worker_threads=8).start()
    time.sleep(LONGEST_S)


def celery(tasks: int, counter: Counter | None) -> None:
    from celery import Celery

    app = Celery("bench", broker=URL)
    app.conf.worker_prefetch_multiplier = IN_FLIGHT

    @app.task(name="run", ignore_result=True)
    def run(body: dict[str, Any]) -> None:
        assert counter is not None
        counter.count()

    if counter is None:
        for _ in range(tasks):
            run.delay(BODY)
        return
    app.worker_main(
        ["worker", "--pool=solo", "--loglevel=ERROR", "--without-gossip", "--without-mingle"]
    )


def rq(tasks: int, counter: Counter | None) -> None:
    from redis import Redis
    from rq import Queue, SimpleWorker

    redis = Redis.from_url(URL)
    queue = Queue("bench", connection=redis)
    if counter is None:
        for _ in range(tasks):
            queue.enqueue("tests.performance.flow_peers.run_rq", BODY)
        return
    global _counter  # noqa: PLW0603 - rq finds a task by its name in the module, and nothing else reaches it
    _counter = counter
    sys.modules["tests.performance.flow_peers"] = sys.modules["__main__"]
    SimpleWorker([queue], connection=redis).work(burst=True, logging_level="ERROR")


_counter: Counter | None = None


def run_rq(body: dict[str, Any]) -> None:
    assert _counter is not None
    _counter.count()


def arq(tasks: int, counter: Counter | None) -> None:
    from arq import create_pool
    from arq.connections import RedisSettings
    from arq.worker import Worker, func

    settings = RedisSettings.from_dsn(URL)

    async def run(_context: Any, body: dict[str, Any]) -> None:
        assert counter is not None
        counter.count()

    async def enqueue() -> None:
        pool = await create_pool(settings)
        for _ in range(tasks):
            await pool.enqueue_job("run", BODY)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    if counter is None:
        loop.run_until_complete(enqueue())
        return
    Worker(
        [func(run, name="run", keep_result=0)],
        redis_settings=settings,
        max_jobs=IN_FLIGHT,
        poll_delay=0.01,
        burst=True,
        handle_signals=False,
    ).run()


def taskiq(tasks: int, counter: Counter | None) -> None:
    from taskiq.receiver import Receiver
    from taskiq_redis import ListQueueBroker

    broker = ListQueueBroker(URL)

    @broker.task(task_name="run")
    async def run(body: dict[str, Any]) -> None:
        assert counter is not None
        counter.count()

    async def enqueue() -> None:
        await broker.startup()
        for _ in range(tasks):
            await run.kiq(BODY)

    async def work() -> None:
        broker.is_worker_process = True
        await broker.startup()
        await Receiver(broker, max_async_tasks=IN_FLIGHT, run_startup=False).listen(asyncio.Event())

    asyncio.run(enqueue() if counter is None else work())


def _flush() -> None:
    from redis import Redis

    Redis.from_url(URL).flushall()


PEERS: dict[str, Callable[[int, Counter | None], None]] = {
    "arq": arq,
    "celery": celery,
    "dramatiq": dramatiq,
    "rq": rq,
    "taskiq": taskiq,
}

if __name__ == "__main__":
    sys.exit(main())
