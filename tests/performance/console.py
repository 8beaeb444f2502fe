"""Measure the console in Chromium with many requests in the store.

    PYTHONPATH=build/console .venv/bin/python tests/performance/console.py
        [--requests 50000] [--workers 20] [--seconds 10] [--json]

Starts a local stack, stops its flow worker, and puts the outcomes of finished requests into the streams of its Valkey.
Prints the time to the first paint and to the first row of the list, the times of searches from the key to the row, and
the commands per second that each view costs Valkey while it is open. Other parts of the stack cost it commands too, so
that those of the stack without a page are subtracted. `make console-test` installs the browser. It judges nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from redis import Redis

from paydispatch.adapters.redis import keys
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.outcomes import Response
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEWS = ("now", "requests", "limits", "repair")
SEARCHES = 12
AGE_S = 600.0
"""The outcomes are spread over the time that the plots show."""

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
NOW = "performance.now()"


@dataclass
class Measured:
    requests: int
    first_paint_ms: float = 0.0
    first_row_ms: float = 0.0
    search_ms: list[float] = field(default_factory=list)
    """From the key to the row, with the 60 ms that the page waits for another key."""
    commands_per_s: dict[str, float] = field(default_factory=dict)


def fill(redis: Redis, requests: int, workers: int) -> None:
    began = time.time() - AGE_S
    for number in range(workers):
        worker, each = f"worker-{number}", requests // workers
        with redis.pipeline(transaction=False) as pipe:
            for place, entry in enumerate(_entries(worker, each, began)):
                pipe.xadd(keys.outcomes(worker), {"entry": entry.as_json()})
                if place % 500 == 0:
                    pipe.execute()
            # Without a group every flow would be one that waits. These have run.
            pipe.xgroup_create(keys.outcomes(worker), "flows", "$")
            pipe.zadd(keys.LOOKS, {worker: time.time()})
            pipe.execute()


def _entries(worker: str, count: int, began: float) -> Iterator[OutcomeEntry]:
    for number in range(count):
        at = began + AGE_S * number / count
        yield OutcomeEntry(
            request_id=f"pdr_{worker}_{number}",
            object="product",
            worker_id=worker,
            context_id=f"order-{number}",
            params={"name": "x" * 200},
            outcome=Response(body={"id": f"prod_{worker}_{number}", "name": "x" * 200}, attempts=1),
            settled_at=at,
            accepted_at=at - 0.2,
        )


def look(page: Any, address: str, measured: Measured, requests_of_a_worker: int) -> None:
    page.goto(address)  # signs in
    page.goto("about:blank")  # so that the address is opened anew
    page.goto(f"{address.partition('?')[0]}#requests")
    page.locator(".rows li").first.wait_for()
    measured.first_row_ms = page.evaluate(NOW)
    measured.first_paint_ms = page.evaluate(FIRST_PAINT)
    box = page.get_by_role("searchbox")
    for number in range(SEARCHES):
        wanted = f"prod_worker-{number % 20}_{requests_of_a_worker - 1 - number}"
        began = time.perf_counter()
        box.fill(wanted)
        page.locator(".rows li", has_text=wanted).wait_for()
        measured.search_ms.append(round((time.perf_counter() - began) * 1000, 1))


def commands(redis: Redis, seconds: float) -> float:
    """Return the commands per second in a time, without the one that counts them."""

    def total() -> int:
        stats: Any = redis.info("stats")
        return int(stats["total_commands_processed"])

    before, began = total(), time.monotonic()
    time.sleep(seconds)
    return (total() - before - 1) / (time.monotonic() - began)


def measure(options: argparse.Namespace) -> Measured:
    from playwright.sync_api import sync_playwright

    measured = Measured(options.requests)
    with LocalStack(LocalSettings(console=True)) as stack, sync_playwright() as driver:
        stack.stop("worker")
        redis = Redis.from_url(stack.addresses.redis_url)
        fill(redis, options.requests, options.workers)
        stack.restart("console")  # so that it finds a full store
        alone = commands(redis, options.seconds)
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        look(page, stack.addresses.console, measured, options.requests // options.workers)
        start = page.url.split("#")[0]
        for view in (*VIEWS, "request/pdr_worker-0_0"):
            page.goto(f"{start}#{view}")
            cost = commands(redis, options.seconds) - alone
            measured.commands_per_s[view.split("/")[0]] = round(cost, 1)
        browser.close()
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    measured = measure(options)
    if options.json:
        print(json.dumps(asdict(measured)))
        return
    print(f"{measured.requests} requests in the store")
    print(
        f"first paint  {measured.first_paint_ms:.0f} ms, first row {measured.first_row_ms:.0f} ms"
    )
    searches = sorted(measured.search_ms)
    print(f"search       median {searches[len(searches) // 2]:.0f} ms, max {searches[-1]:.0f} ms")
    for view, cost in measured.commands_per_s.items():
        print(f"{view:<12} {cost} commands/s")


if __name__ == "__main__":
    main()
