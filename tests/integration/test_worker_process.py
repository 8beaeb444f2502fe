"""A worker as a process. A script can end, block and mute only itself, and SIGTERM always ends the worker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.away import AWAY

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.connection import connect, connect_async
from paydispatch.adapters.redis.streams.outcomes import RedisOutcomes
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.outcomes import Response
from paydispatch.testing.memory_clock import MemoryClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_S = 60.0
"""Far shorter than the hangs in these tests, and far longer than a busy machine needs."""

GOOD = """
def run(data, flow):
    flow.log.info("good", extra={"order": flow.request_id})
"""

PRODUCT, COUPON = "new_create_product_response", "new_create_coupon_response"


class Worker:
    """`paydispatch worker` over a folder of scripts, and its log."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder / "flows"
        self.folder.mkdir()
        self.url = redis_url
        self._log = folder / "worker.log"
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, **scripts: str) -> None:
        for name, text in scripts.items():
            (self.folder / f"{name}.py").write_text(text)

    def start(self, **environment: str) -> None:
        command = (sys.executable, "-m", "paydispatch", "worker", "--worker-id", "w1")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--flows", str(self.folder)],
                env={**os.environ, **AWAY, "REDIS_URL": self.url, **REGION, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def publish(self, *entries: OutcomeEntry) -> None:
        asyncio.run(self._publish(entries))

    def runs_begun(self) -> int:
        """Return how many runs of the only unfinished entry have begun."""
        with contextlib.closing(connect(self.url)) as redis:
            runs: Any = redis.hgetall(keys.runs("w1"))
        return max(map(int, runs.values()), default=0)

    async def _publish(self, entries: tuple[OutcomeEntry, ...]) -> None:
        redis = connect_async(self.url)
        outcomes = RedisOutcomes(redis, queue_tenant="local")
        for each in entries:
            await outcomes.publish(each)
        await redis.aclose()

    def log(self) -> str:
        return self._log.read_text("utf-8")

    def lines(self, message: str) -> list[dict[str, Any]]:
        printed = (line for line in self.log().splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, printed) if line["message"] == message]

    def wait_for(self, condition: Callable[[], object]) -> None:
        give_up_at = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < give_up_at, f"it did not happen in time:\n{self.log()}"
            assert self.process.poll() is None, f"the worker ended:\n{self.log()}"
            time.sleep(0.02)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0, self.log()


REGION = {"AWS_DEFAULT_REGION": "us-east-1"}


def entry(request_id: str, context_id: str, object_name: str = "product") -> OutcomeEntry:
    return OutcomeEntry(
        request_id=request_id,
        object=object_name,
        operation=f"create_{object_name}",
        worker_id="w1",
        context_id=context_id,
        params={"name": "Tea"},
        outcome=Response(body={"id": "prod_1"}, attempts=1),
        settled_at=MemoryClock().now_s(),
    )


@pytest.fixture
def worker(tmp_path: Path, valkey: Any) -> Iterator[Worker]:
    made = Worker(tmp_path, valkey.url)
    yield made
    made.kill()


ENDS = {
    "an exit in a task": "async def boom(): sys.exit(3)",
    "an interrupt in a task": "async def boom(): raise KeyboardInterrupt",
    "an exit in a callback": "async def boom(): loop().call_soon(sys.exit, 3); await asyncio.sleep(1)",
    "a stopped event loop": "async def boom(): loop().stop(); await asyncio.sleep(1)",
    "a blocked event loop": "async def boom(): time.sleep(3600)",
    "all tasks cancelled": "async def boom(): [each.cancel() for each in asyncio.all_tasks()]",
}


@pytest.mark.parametrize("boom", ENDS.values(), ids=ENDS)
def test_a_task_of_a_script_can_end_and_block_only_its_script(worker: Worker, boom: str) -> None:
    worker.write(
        new_create_product_response=f"""
import asyncio, sys, time
loop = asyncio.get_running_loop
{boom}
async def run(data, flow):
    flow.log.info("bad")
    async with asyncio.TaskGroup() as group:
        group.create_task(boom())
""",
        new_create_coupon_response=GOOD,
    )
    worker.start(FLOW_TIMEOUT_S="3600")
    worker.publish(entry("bad", "c1"))
    worker.wait_for(lambda: worker.lines("bad"))
    worker.publish(*(entry(f"good-{number}", f"c{number}", "coupon") for number in range(2, 5)))

    worker.wait_for(lambda: len(worker.lines("flow.finished")) == 3)
    if "sleep(3600)" not in boom:
        worker.wait_for(lambda: worker.lines("flow.raised") and worker.lines("flow.retried"))


HANGING_IMPORT = """
import logging, time
logging.getLogger("paydispatch.flows").info("importing")
time.sleep(3600)
"""


def test_an_import_that_never_ends_blocks_neither_other_flows_nor_sigterm(worker: Worker) -> None:
    worker.write(new_create_product_response=HANGING_IMPORT, new_create_coupon_response=GOOD)
    worker.start(FLOW_IMPORT_TIMEOUT_S="3600")
    worker.publish(entry("bad", "c1"))
    worker.wait_for(lambda: worker.lines("importing"))
    worker.publish(entry("good", "c2", "coupon"))
    worker.wait_for(lambda: worker.lines("flow.finished"))

    worker.terminate()


def test_an_import_that_never_ends_goes_to_the_dead_stream_although_workers_are_terminated(
    worker: Worker,
) -> None:
    worker.write(
        new_create_product_response=HANGING_IMPORT,
        new_create_product_error="def run(error, flow): flow.log.info('error flow got %s', error.code)",
    )
    worker.publish(entry("bad", "c1"))
    for number in range(1, 3):
        worker.start(FLOW_IMPORT_TIMEOUT_S="3600", FLOW_ATTEMPTS="2")
        # The check at the start imports the script too, so that a line of it does not show a run.
        worker.wait_for(lambda number=number: worker.runs_begun() == number)
        worker.terminate()
    worker.start(FLOW_IMPORT_TIMEOUT_S="3600", FLOW_ATTEMPTS="2")
    worker.wait_for(lambda: worker.lines("error flow got flow_failed"))


LEFT_THREADS = """
import asyncio, threading, time
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor()
def hang():
    while True:
        time.sleep(3600)
def run(data, flow):
    pool.submit(hang)
    threading.Thread(target=hang).start()
"""


def test_threads_of_a_flow_do_not_keep_the_worker_alive(worker: Worker) -> None:
    worker.write(new_create_product_response=LEFT_THREADS)
    worker.start()
    worker.publish(entry("r1", "c1"))
    worker.wait_for(lambda: worker.lines("flow.finished"))

    worker.terminate()


def test_a_run_past_its_timeout_does_not_keep_the_worker_alive(worker: Worker) -> None:
    worker.write(new_create_product_response="import time\ndef run(data, flow): time.sleep(3600)\n")
    worker.start(FLOW_TIMEOUT_S="0.2")
    worker.publish(entry("r1", "c1"))
    worker.wait_for(lambda: worker.lines("flow.retried"))

    worker.terminate()


def test_a_flow_that_configures_logging_does_not_mute_the_worker(worker: Worker) -> None:
    worker.write(
        new_create_product_response="""
import logging.config
def run(data, flow):
    logging.config.dictConfig({"version": 1})
    logging.disable(logging.CRITICAL)
""",
        new_create_coupon_response=GOOD,
    )
    worker.start()
    worker.publish(entry("r1", "c1"), entry("r2", "c1", "coupon"))

    worker.wait_for(lambda: len(worker.lines("flow.finished")) == 2)
    ((line),) = worker.lines("good")
    assert (line["order"], line["request_id"]) == ("r2", "r2")


def test_after_the_group_was_lost_only_new_flows_run(worker: Worker, valkey: Any) -> None:
    worker.write(new_create_product_response=GOOD)
    worker.start()
    worker.publish(*(entry(f"r{number}", f"c{number}") for number in range(5)))
    worker.wait_for(lambda: len(worker.lines("flow.finished")) == 5)
    with valkey.admin() as admin:
        assert admin.xgroup_destroy(keys.outcomes("w1"), keys.GROUP) == 1
    worker.publish(entry("new", "c1"))
    worker.wait_for(lambda: len(worker.lines("flow.finished")) == 6)
    worker.terminate()

    ran = [line["request_id"] for line in worker.lines("flow.finished")]
    assert sorted(ran) == ["new", "r0", "r1", "r2", "r3", "r4"]
