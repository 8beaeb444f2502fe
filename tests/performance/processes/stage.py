"""The processes of a measurement: one embedded Valkey, one twin that enforces both limits, and the callers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from paydispatch.local.processes import Program, Supervisor
from paydispatch.local.settings import environment_without_aws, local_aws
from paydispatch.local.stores.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parents[3]
NOWHERE = "http://127.0.0.1:9"
LATENCY_MS = {"p50": 150, "p99": 600}
START_WITHIN_S = 60.0
CLOCKS_APART_S = 5.0
LEAD_S, QUICK_LEAD_S = 12.0, 1.0
"""Between the command to the callers and the begin of their phase. In this time each connects and makes one call."""
QUICK_CALLERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The limits of a live account, which the twin enforces and the limiter knows."""

    account: int
    operation: int

    def environment(self) -> dict[str, str]:
        return {
            "STRIPE_LIMIT_LIVE": str(self.account),
            "STRIPE_LIMIT_OPERATION": str(self.operation),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLoad:
    """The messages of a lane for one caller."""

    backlog: int = 0
    """The messages that are there at the begin."""
    per_s: float = 0.0
    """More messages per second, at random times."""
    evenly: bool = False
    """Whether they come at equal distances, as from a queue that all callers read."""
    batch_size: int = 10


class Callers:
    """The caller processes. The clocks of half of them are 5 s ahead, those of the others 5 s behind."""

    def __init__(self, count: int, environment: Mapping[str, str]) -> None:
        self._processes = [self._start(number, environment) for number in range(count)]
        for process in self._processes:
            self._read(process)

    def begin(self, phase: Mapping[str, Any]) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps(phase) + "\n")
            process.stdin.flush()

    def results(self) -> list[dict[str, Any]]:
        """Wait for the end of the phase. Return the figures of each caller."""
        return [self._read(process) for process in self._processes]

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.communicate()

    def __len__(self) -> int:
        return len(self._processes)

    def _start(self, number: int, environment: Mapping[str, str]) -> subprocess.Popen[str]:
        offset_s = CLOCKS_APART_S if number % 2 else -CLOCKS_APART_S
        command = (sys.executable, "-m", "tests.performance.processes.caller")
        return subprocess.Popen(
            (*command, str(number), str(offset_s)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=dict(environment),
        )

    @staticmethod
    def _read(process: subprocess.Popen[str]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("A caller process has ended.")
        result: dict[str, Any] = json.loads(line)
        return result


class Stage:
    """Runs phases. Each has an account of its own."""

    def __init__(self, callers: int, seed: int, *, quick: bool = False) -> None:
        """`quick` makes a run short and with few callers, so that its figures show only that it works."""
        self._count, self._seed, self._quick = (
            min(callers, QUICK_CALLERS) if quick else callers,
            seed,
            quick,
        )

    def __enter__(self) -> Self:
        self._directory = Path(tempfile.mkdtemp(prefix="limits-"))
        self._supervisor = Supervisor(self._directory, tell=print)
        self.valkey = Valkey(self._supervisor, self._directory, durable=False)
        self.valkey.launch()
        self.valkey.await_ready(START_WITHIN_S)
        self._twin = httpx.Client(base_url=self._start_twin())
        self._answer_after({"latency_ms": LATENCY_MS})
        self.callers = Callers(self._count, self._environment())
        return self

    def __exit__(self, *_error: object) -> None:
        self.callers.close()
        self._twin.close()
        self._supervisor.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def pick(self, usual: int, *, quick: int) -> int:
        """Return the first number, or the second one in a quick run."""
        return quick if self._quick else usual

    def lose_redis(self) -> None:
        """Kill Redis and start an empty one at the same address."""
        self._supervisor.stop([self.valkey.name])
        self.valkey.launch()
        self.valkey.await_ready(START_WITHIN_S)

    def enforce(self, rates: Rates, part: float = 1.0) -> None:
        """Let the twin enforce a part of these limits from now on."""
        limits = {"live": rates.account * part, "operation": rates.operation * part}
        self._twin.put("/_twin/rate-limits", json=limits).raise_for_status()

    def run(
        self,
        rates: Rates,
        *,
        seconds: float,
        lanes: Mapping[str, LaneLoad],
        meanwhile: Sequence[tuple[float, Callable[[], None]]] = (),
    ) -> Phase:
        """Run one phase. `meanwhile` is done at so many seconds after its begin. The loads are per caller."""
        self.enforce(rates)
        self._twin.post("/_twin/reset").raise_for_status()
        lead_s = QUICK_LEAD_S if self._quick else LEAD_S
        begin_s = float(int(time.time() + lead_s) + 1)
        phase = {
            "account": f"limits{int(begin_s * 10)}",
            "begin_s": begin_s,
            "end_s": begin_s + seconds,
            "lanes": {name: asdict(load) for name, load in lanes.items()},
            "environment": {"REDIS_URL": self.valkey.url, **rates.environment()},
        }
        self.callers.begin(phase)
        for after_s, do in meanwhile:
            time.sleep(max(0.0, begin_s + after_s - time.time()))
            do()
        results = self.callers.results()
        return Phase(int(begin_s), results, self._attempts(begin_s))

    def measure_cost(self, rates: Rates, rounds: int) -> dict[str, float]:
        """Measure the CPU of a call and of the limiter in it, in a process of its own (`limiter_cost.py`)."""
        self.enforce(rates)
        self._answer_after({"latency_ms": 0})
        command = (sys.executable, "-m", "tests.performance.processes.limiter_cost", str(rounds))
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**self._environment(), **rates.environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # asyncio complains about the clients that stay open
            check=True,
        )
        self._answer_after({"latency_ms": LATENCY_MS})
        cost: dict[str, float] = json.loads(done.stdout)
        return cost

    def _answer_after(self, latency: Mapping[str, object]) -> None:
        self._twin.put("/_twin/latency", json=latency).raise_for_status()

    def _attempts(self, begin_s: float) -> list[dict[str, Any]]:
        answer = self._twin.get("/_twin/attempts", timeout=60.0).raise_for_status()
        attempts: list[dict[str, Any]] = answer.json()["attempts"]
        return attempts

    def _start_twin(self) -> str:
        command = (sys.executable, "-m", "paydispatch.twin", "--rate-limits", "on")
        own = ("--seed", str(self._seed), "--parent-pid", str(os.getpid()))
        program = Program("twin", (*command, *own), environment_without_aws())
        twin = self._supervisor.start(program)
        base: str = twin.await_announcement("stripe_base", within_s=START_WITHIN_S)
        self.twin_base = base
        return base

    def _environment(self) -> dict[str, str]:
        return {
            **environment_without_aws(),
            **local_aws(NOWHERE),
            "REQUEST_QUEUE_URL": NOWHERE,
            "DEAD_LETTER_QUEUE_URL": NOWHERE,
            "REDIS_URL": self.valkey.url,
            "STRIPE_API_BASE": self.twin_base,
        }


class Phase:
    """The counts of the callers and the twin in one phase."""

    def __init__(
        self, begin_s: int, results: list[dict[str, Any]], attempts: list[dict[str, Any]]
    ) -> None:
        self._begin_s = begin_s
        self.results, self.attempts = results, attempts

    def taken(self, seconds: range) -> list[int]:
        """Return the calls that the twin executed in each second of the phase."""
        return self._per_second(seconds, lambda attempt: attempt["status"] != 429)

    def refused(self, seconds: range) -> list[int]:
        return self._per_second(seconds, lambda attempt: attempt["status"] == 429)

    def arrived(self, seconds: range) -> list[int]:
        return self._per_second(seconds, lambda _attempt: True)

    def refused_share(self, seconds: range) -> float:
        return sum(self.refused(seconds)) / max(1, sum(self.arrived(seconds)))

    def calls_by_caller(self, callers: int) -> list[int]:
        """Return the executed calls of each caller."""
        counts = [0] * callers
        for attempt in self.attempts:
            if attempt["executed"]:
                counts[int(attempt["idempotency_key"].split("_")[1])] += 1
        return counts

    def waits_ms(self, lane: str) -> list[float]:
        return [wait for result in self.results for wait in result["waits_ms"][lane]]

    def reserved_ms(self, lane: str) -> list[float]:
        return [wait for result in self.results for wait in result["reserved_ms"][lane]]

    def lost(self) -> int:
        """Return the requests that Stripe did not execute and that are on no queue."""
        executed = {a["idempotency_key"] for a in self.attempts if a["executed"]}
        return sum(len({*r["sent"]} - {*r["waiting"]} - executed) for r in self.results)

    def doubled(self) -> int:
        """Return the effects beyond one per request."""
        keys = [attempt["idempotency_key"] for attempt in self.attempts if attempt["executed"]]
        return len(keys) - len(set(keys))

    def _per_second(self, seconds: range, counts: Callable[[dict[str, Any]], bool]) -> list[int]:
        found = dict.fromkeys(seconds, 0)
        for attempt in self.attempts:
            second = int(attempt["at"] - self._begin_s)
            if second in found and counts(attempt):
                found[second] += 1
        return list(found.values())
