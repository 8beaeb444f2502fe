"""Time calls of `create_async` by their place after a pause, and print a table.

    python -m tests.performance.profiling.burst [--bursts 200]

A program that has slept finds the caches of the processor with other data. The stub of SQS and KMS is named by
`BENCH_AWS_URL`. CPU time of the calling thread, because other work on the machine must not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

from tests.performance.control_back import create
from tests.performance.frame.sample import PAUSE_EVERY, PAUSE_S, WARM_CALLS

from paydispatch import Dispatcher
from paydispatch.local.settings import local_aws

SHOWN = (1, 2, 3, 5, 10)
TIGHT_CALLS = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bursts", type=int, default=200)
    bursts = parser.parse_args().bursts
    url = os.environ["BENCH_AWS_URL"]
    os.environ.update(local_aws(url))
    os.environ.update(REQUEST_QUEUE_URL=f"{url}/queue", SEALING_KEY_ID="key")
    with Dispatcher.from_env() as dispatcher:
        _call_us(WARM_CALLS)
        made = [_after_pause() for _ in range(bursts)]
        tight_us = statistics.median(_call_us(TIGHT_CALLS))
        dispatcher.flush()
    print("| call after a pause of 20 ms | CPU, µs | to a tight loop |\n|---|---|---|")
    for place in SHOWN:
        us = statistics.median(burst[place - 1] for burst in made)
        print(f"| {place} | {us:.0f} | {us / tight_us:.2f} |")
    print(f"| in a tight loop | {tight_us:.0f} | 1.00 |")


def _after_pause() -> list[float]:
    time.sleep(PAUSE_S)
    return _call_us(PAUSE_EVERY)


def _call_us(calls: int) -> list[float]:
    """Return the microseconds of CPU of each call."""
    taken = []
    for number in range(calls):
        began = time.thread_time()
        create(number)
        taken.append((time.thread_time() - began) * 1e6)
    return taken


if __name__ == "__main__":
    main()
