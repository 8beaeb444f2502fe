"""The smallest chaos run: 500 requests while every kind of process is killed. No promise may break."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

KILLS = 3
COMMAND = ("--requests", "500", "--kills", str(KILLS), "--seconds", "24", "--seed", "11", "--json")


def test_no_promise_breaks_while_every_process_is_killed() -> None:
    run = subprocess.run(
        (sys.executable, "-m", "tests.chaos.run", *COMMAND),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert found["requests"] >= 490
    assert all(
        found["kills"][target] >= KILLS - 1
        for target in ("caller", "worker", "redis", "gateway", "queue", "failover")
    )
    assert not any(found["broken"].values())
