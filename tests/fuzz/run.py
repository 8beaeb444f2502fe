"""Fuzz the API and the queue, and print the results. Exits with 1 if there was a fault.

    python -m tests.fuzz.run --seed 1

The same seed makes the same cases only with the same code, because hypothesis takes constants from it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys

from tests.fuzz.api_runs import fuzz_document, fuzz_events, fuzz_wrong_events
from tests.fuzz.queue_run import QueueRun


def main() -> int:
    asked = _arguments()
    print(f"seed {asked.seed}", flush=True)
    faults = 0
    runs = (
        ("the document", lambda: fuzz_document(asked.per_call, seed_=asked.seed)),
        ("events", lambda: fuzz_events(asked.events, seed_=asked.seed)),
        ("wrong events", lambda: fuzz_wrong_events(asked.wrong_events, seed_=asked.seed)),
    )
    for name, run in runs:
        tally = run()
        faults += len(tally.faults)
        print(tally.describe(name), flush=True)
    queue = asyncio.run(QueueRun(asked.seed).run(good=asked.good, spoilt=asked.spoilt))
    print(queue.describe(), flush=True)
    return 1 if faults + len(queue.faults) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--per-call", type=int, default=50, help="cases of each call")
    parser.add_argument("--events", type=int, default=8_000)
    parser.add_argument("--wrong-events", type=int, default=2_000)
    parser.add_argument("--good", type=int, default=1_000, help="good queue messages")
    parser.add_argument("--spoilt", type=int, default=10_000, help="spoilt queue messages")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
