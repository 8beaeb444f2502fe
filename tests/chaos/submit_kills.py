"""Kill `paydispatch submit` while it works, and count the effects at Stripe.

    python -m tests.chaos.submit_kills [--lines 20000] [--kills 2] [--way queue|api] [--seed 1] [--json]

Runs the local stack and submits a file with SIGKILLs at random lines of its ledger. A tenth of its lines are equal. The
last call waits for the outcomes. Fails unless the twin's ledger has one effect for each line, and the report, the
ledger of the file, the results and the twin agree.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from paydispatch.cli.submission.ledger import FileLedger
from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack
from paydispatch.services.submission.ports import Stage

ROOT = Path(__file__).parents[2]
EQUAL = "equal"
"""The name of the product that a tenth of the lines ask for."""

POLL_EVERY_S = 0.002
PATIENCE_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Figures:
    lines: int
    killed_at: tuple[int, ...]
    """The lines of the ledger at each kill."""
    seconds: float
    effects: int
    lines_without_effect: int
    effects_too_many: int
    attempts: int
    """The writes that arrived at Stripe, replays included."""
    reported_submitted: int
    """By the last call, with the lines that an earlier call had recorded."""
    submitted_by_ledger: int
    """The lines that the ledger of the file has as submitted."""
    reported_done: int
    results: int

    @property
    def hold(self) -> bool:
        submitted = {self.reported_submitted, self.submitted_by_ledger}
        ended = {self.effects, self.reported_done, self.results}
        return submitted | ended == {self.lines} and not (
            self.lines_without_effect or self.effects_too_many
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--way", choices=("queue", "api"), default="queue")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    settings = LocalSettings(flows=ROOT / "flows", batch_pollers=2)
    with tempfile.TemporaryDirectory() as folder, LocalStack(settings) as stack:
        figures = measure(stack, Path(folder), arguments)
    if arguments.json:
        print(json.dumps(asdict(figures)))
    else:
        print("\n".join(f"{name:<24} {value}" for name, value in asdict(figures).items()))
    return 0 if figures.hold else 1


def measure(stack: LocalStack, folder: Path, arguments: argparse.Namespace) -> Figures:
    began_s = time.monotonic()
    file = folder / "renewals.jsonl"
    names = write_file(file, arguments.lines)
    to = ("--api", stack.addresses.api) if arguments.way == "api" else ()
    command = submit_command(file, *to)
    environment = {**os.environ, **stack.environment()}
    at = choose_kills(arguments.lines, arguments.kills, arguments.seed)
    killed_at = tuple(kill_at(command, environment, file, lines) for lines in at)
    report = json.loads(run(command, environment))
    twin: Any = httpx.get(f"{stack.addresses.stripe_base}/_twin/ledger", timeout=60).json()
    made = Counter(effect["params"]["name"] for effect in twin["effects"])
    return Figures(
        lines=arguments.lines,
        killed_at=killed_at,
        seconds=round(time.monotonic() - began_s, 1),
        effects=made.total(),
        lines_without_effect=(names - made).total(),
        effects_too_many=(made - names).total(),
        attempts=twin["attempts"],
        reported_submitted=report["submitted"] + report["submitted_before"],
        submitted_by_ledger=count_submitted(Path(report["remembered_in"]), report["target"]),
        reported_done=report["outcomes"]["done"],
        results=count_lines(Path(report["outcomes"]["results_in"])),
    )


def write_file(file: Path, lines: int) -> Counter[str]:
    """Write the requests, and return how many effects each name must have."""
    names = [EQUAL if number % 10 == 0 else f"line {number}" for number in range(lines)]
    with file.open("w") as out:
        for name in names:
            item = {"object": "product", "context_id": "c", "params": {"name": name}}
            out.write(json.dumps(item) + "\n")
    return Counter(names)


def submit_command(file: Path, *to: str) -> tuple[str, ...]:
    own = (sys.executable, "-m", "paydispatch", "submit", str(file), *to)
    return (*own, "--worker-id", "renewals", "--secret-ref", "demo", "--wait", "--json")


def choose_kills(lines: int, kills: int, seed: int) -> list[int]:
    """Return the numbers of ledger lines at which the kills come, in the first nine tenths of the file."""
    return sorted(random.Random(seed).sample(range(1, lines * 9 // 10), kills))


def kill_at(command: tuple[str, ...], environment: dict[str, str], file: Path, lines: int) -> int:
    """Run the command, kill it when its ledger has so many lines, and return how many it has then."""
    ledger = file.with_name(file.name + ".submitted")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    until_s = time.monotonic() + PATIENCE_S
    while count_lines(ledger) < lines and time.monotonic() < until_s:
        assert process.poll() is None, "the command ended before it was killed"
        time.sleep(POLL_EVERY_S)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    return count_lines(ledger)


def run(command: tuple[str, ...], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    return done.stdout


def count_submitted(ledger: Path, target: str) -> int:
    entries = FileLedger(ledger, target, wanted_run=None).peek().entries.values()
    return sum(entry.stage is Stage.SUBMITTED for entry in entries)


def count_lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


if __name__ == "__main__":
    raise SystemExit(main())
