"""A forked process has a Dispatcher of its own, and a program that ends without `close` drops no request silently.

Each test runs a program of its own, because a test run must not fork itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PATIENCE_S = 60

PROGRAM = """
import os, signal, sys, threading
from paydispatch import Dispatcher, new_coupon
from paydispatch.testing.memory_delivery import MemoryDelivery
from paydispatch.domain.errors import OtherProcess, PaydispatchError

class FileDelivery(MemoryDelivery):
    "A delivery to a file, to which each process writes."

    def deliver(self, prepared_requests):
        with open(sys.argv[1], "a") as queue:
            queue.write("".join(f"{os.getpid()} {prepared.request_id}\\n" for prepared in prepared_requests))
        return super().deliver(prepared_requests)

class StuckDelivery(FileDelivery):
    "A delivery that takes no request until `let` is set."

    let = threading.Event()
    reached = threading.Event()

    def deliver(self, prepared_requests):
        self.reached.set()
        self.let.wait()
        return super().deliver(prepared_requests)

def create(count=25, **options):
    coupon = new_coupon().percent_off(5).duration("once")
    return [coupon.create_async("w", f"c{n}", "sk_test_secret", **options) for n in range(count)]

def children(count, work):
    "Fork children that call `work`, and check that each ends without an error."
    for _ in range(count):
        if os.fork() == 0:
            signal.alarm(30)
            work()
            os._exit(0)
    for _ in range(count):
        _, status = os.wait()
        assert status == 0, status

"""


def run(program: str, queue: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "functions")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM + program, str(queue)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=PATIENCE_S,
    )


def run_to_its_end(program: str, tmp_path: Path) -> list[list[str]]:
    """Run the program to its end. Return (process, request id) of each message on the queue."""
    queue = tmp_path / "queue"
    ended = run(program, queue)
    assert ended.returncode == 0, ended.stderr
    assert "sk_test_secret" not in ended.stdout + ended.stderr
    return [line.split() for line in queue.read_text().splitlines()] if queue.exists() else []


FORKS = {
    "closed by the child": """
with Dispatcher(FileDelivery()) as dispatcher:
    create()
    def work():
        create()
        dispatcher.close()
    children(4, work)
""",
    "waited for by the child": """
dispatcher = Dispatcher(FileDelivery()).start()
create()
def work():
    for receipt in create():
        receipt.wait()
children(4, work)
dispatcher.close()
""",
    "a child that ends by itself": """
dispatcher = Dispatcher(FileDelivery()).start()
create()
for _ in range(4):
    if os.fork() == 0:
        create()
        sys.exit()
for _ in range(4):
    assert os.wait()[1] == 0
""",
    "multiprocessing": """
import multiprocessing
multiprocessing.set_start_method("fork")
Dispatcher(FileDelivery()).start()
create()
processes = [multiprocessing.Process(target=create) for _ in range(4)]
for process in processes:
    process.start()
for process in processes:
    process.join()
    assert process.exitcode == 0
""",
    "an unreferenced Dispatcher": """
Dispatcher(FileDelivery()).start()
create()
for _ in range(4):
    if os.fork() == 0:
        create()
        sys.exit()
for _ in range(4):
    assert os.wait()[1] == 0
""",
    "forks of forks": """
dispatcher = Dispatcher(FileDelivery()).start()
create()
def deeper(depth):
    create()
    if depth:
        children(1, lambda: deeper(depth - 1))
    dispatcher.close()
deeper(3)
""",
}


@pytest.mark.parametrize("program", FORKS.values(), ids=FORKS)
def test_each_forked_process_delivers_its_own_requests_once(program: str, tmp_path: Path) -> None:
    lines = run_to_its_end(program, tmp_path)

    assert len({request_id for _, request_id in lines}) == len(lines) == 125
    per_process = {process: [one for one, _ in lines].count(process) for process, _ in lines}
    assert sorted(per_process.values()) in ([25] * 5, [25, 25, 25, 50])


def test_a_child_can_neither_await_nor_repeat_the_requests_of_its_parent(tmp_path: Path) -> None:
    program = """
with Dispatcher(StuckDelivery()) as dispatcher:
    waiting = create(3)
    dispatcher._delivery.reached.wait()
    waiting += create(3)
    def work():
        for receipt in waiting:
            try:
                receipt.wait()
            except OtherProcess as error:
                assert str(os.getppid()) in str(error)
            else:
                os._exit(1)
            try:
                dispatcher.redispatch(receipt)
            except OtherProcess:
                continue
            os._exit(2)
        dispatcher.flush()
        dispatcher.close()
    children(2, work)
    StuckDelivery.let.set()
print(os.getpid(), all(receipt.durable for receipt in waiting))
"""
    assert len(run_to_its_end(program, tmp_path)) == 6


def test_a_fork_waits_for_no_lock_of_the_parent(tmp_path: Path) -> None:
    """A thread of the parent holds every lock there is while another one forks."""
    program = """
dispatcher = Dispatcher(FileDelivery()).start()
(receipt,) = create(1)
receipt.wait()
from paydispatch.sdk.dispatcher import _living
locks = [dispatcher._lock, dispatcher._sender._changed, _living._lock]
for lock in locks:
    lock.acquire()
held, forked = threading.Event(), threading.Event()
def work():
    assert receipt.durable and receipt.wait() and receipt.failure is None
    create(1)
    dispatcher.close()
children(1, work)
for lock in locks:
    lock.release()
dispatcher.close()
"""
    assert len(run_to_its_end(program, tmp_path)) == 2


ENDS = {
    "started": "Dispatcher(FileDelivery()).start(); create(3)",
    "ended by an error": "Dispatcher(FileDelivery()).start(); create(3); raise SystemExit(0)",
    "in a thread": """
Dispatcher(FileDelivery()).start()
threading.Thread(target=create, args=(3,)).start()
""",
}


@pytest.mark.parametrize("program", ENDS.values(), ids=ENDS)
def test_a_program_that_ends_without_closing_flushes(program: str, tmp_path: Path) -> None:
    assert len(run_to_its_end(program, tmp_path)) == 3


def test_a_program_that_ends_lists_its_undelivered_requests(tmp_path: Path) -> None:
    program = """
delivery = FileDelivery()
delivery.loses_answers = True
Dispatcher(delivery, delivery_timeout_s=0.2).start()
print(create(1)[0].request_id)
"""
    ended = run(program, tmp_path / "queue")

    assert "may have been accepted" in ended.stderr
    assert ended.stdout.strip() in ended.stderr
    assert "sk_test_secret" not in ended.stderr


def test_a_program_ends_within_the_delivery_timeout_while_its_queue_hangs(tmp_path: Path) -> None:
    program = """
Dispatcher(StuckDelivery(), delivery_timeout_s=0.2).start()
print(create(1)[0].request_id)
"""
    ended = run(program, tmp_path / "queue")

    assert ended.returncode == 0
    assert ended.stdout.strip() in ended.stderr
