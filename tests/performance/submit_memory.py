"""Measure the memory of `paydispatch submit` with a large file and a queue in memory.

    python -m tests.performance.submit_memory [--lines 100000] [--limit-mb 150] [--json]

Runs the command three times, each in a process of its own: a new run, the same run again after its ledger lost the ends
of all lines, and a plan. The queue accepts each request and counts its id. Fails if a call takes more than the limit at
its peak, if an id was accepted under two lines, or if the report does not agree with the queue.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from paydispatch.cli.commands import submit
from paydispatch.cli.main import main as run_command
from paydispatch.compose.dispatcher import Dispatcher
from paydispatch.domain.identity.request_ids import request_id_for_key
from paydispatch.sdk.delivery import PreparedRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from paydispatch.domain.errors import PaydispatchError
    from paydispatch.domain.requests import OperationRequest

PLAN = "plan"
API = "https://api.example.com"
KB_PER_MB = 1024


class CountingDelivery:
    """A queue that accepts every request, and keeps only the number of each id."""

    way = "memory"
    batch_limit = 1_000

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()

    def prepare(self, request: OperationRequest) -> PreparedRequest:
        key = str(request.idempotency_key)
        text = json.dumps({"params": request.params, "key": key})
        return PreparedRequest(request_id_for_key("", key), text, request.lane, self.way)

    def deliver(
        self, prepared_requests: Sequence[PreparedRequest]
    ) -> Sequence[str | PaydispatchError]:
        ids = [prepared.request_id for prepared in prepared_requests]
        self.accepted.update(ids)
        return ids

    def open(self) -> None: ...
    def warm(self, operations: Collection[str]) -> None: ...
    def upkeep(self) -> None: ...
    def close(self) -> None: ...
    def forget_clients(self) -> None: ...


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--limit-mb", type=float, default=150.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return run_child(arguments.child)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder) / "renewals.jsonl", arguments.lines)
    if arguments.json:
        print(json.dumps(figures))
    else:
        for call, found in figures.items():
            print(f"{call:<8} {found['peak_mb']:6.1f} MB  {found['seconds']:6.1f} s  {found}")
    return 0 if all(holds(found, arguments) for found in figures.values()) else 1


def holds(found: dict[str, Any], arguments: argparse.Namespace) -> bool:
    agrees = found["reported"] == arguments.lines and found["ids"] in (0, arguments.lines)
    return agrees and found["most_per_id"] <= 1 and found["peak_mb"] <= arguments.limit_mb


def measure(file: Path, lines: int) -> dict[str, dict[str, Any]]:
    write_file(file, lines)
    first = run(file, "submitted")
    ledger = file.with_name(file.name + ".submitted")
    begun = [line for line in ledger.read_text().splitlines(keepends=True) if line[0] == "{"]
    ledger.write_text("".join(begun))
    again = run(file, "submitted")
    copy = file.with_name("planned.jsonl")
    copy.write_bytes(file.read_bytes())
    return {"new": first, "again": again, "plan": run(copy, "ready", PLAN)}


def write_file(file: Path, lines: int) -> None:
    with file.open("w") as out:
        for number in range(lines):
            params = {
                "amount": 2000 + number,
                "currency": "eur",
                "customer": f"cus_{number:014}",
                "description": f"Renewal of the contract {number} for the year 2027",
                "metadata": {"order": str(number), "contract": f"C-{number}", "batch": "2027-01"},
            }
            item = {"object": "payment_intent", "context_id": f"order-{number}", "params": params}
            out.write(json.dumps(item) + "\n")


def run(file: Path, counted: str, *mode: str) -> dict[str, Any]:
    """Run the command in a process of its own. `counted` names the field of the report with the lines."""
    own = (sys.executable, "-m", "tests.performance.submit_memory", "--child", counted, str(file))
    done = subprocess.run((*own, *mode), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    found["reported"] = json.loads(done.stdout.splitlines()[-2])[counted]
    return found


def dispatcher_of(delivery: CountingDelivery) -> Dispatcher:
    return Dispatcher(delivery, buffer_size=submit.BUFFER_SIZE)


def peak_mb() -> float:
    """Return the peak of this process. `ru_maxrss` would include that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return round(int(status.split("VmHWM:")[1].split()[0]) / KB_PER_MB, 1)


def run_child(given: list[str]) -> int:
    _, file, *mode = given
    delivery, began_s = CountingDelivery(), time.monotonic()
    own = ["submit", file, "--api", API, "--worker-id", "w", "--secret-ref", "s", "--json"]
    with patch.object(submit, "_dispatcher", lambda _: dispatcher_of(delivery)):
        code = run_command([*own, "--plan"] if PLAN in mode else own)
    accepted = delivery.accepted
    found = {
        "peak_mb": peak_mb(),
        "seconds": round(time.monotonic() - began_s, 1),
        "ids": len(accepted),
        "most_per_id": max(accepted.values(), default=0),
    }
    print(json.dumps(found))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
