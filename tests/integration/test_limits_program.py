"""`make limits QUICK=1`: the program runs, and no busy machine makes it fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def test_a_quick_run_prints_its_goals_and_loses_no_request() -> None:
    command = (sys.executable, "-m", "tests.performance.limits", "--quick", "--json")
    done = subprocess.run(
        (*command, "--only", "lost_redis", "limiter"),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    goals = [json.loads(line) for line in done.stdout.splitlines()]
    figures = {goal["goal"]: goal["figure"] for goal in goals}
    assert figures["Redis lost: requests lost"] == 0
    assert sum("limiter" in name for name in figures) == 3
    assert all(figure is not None for figure in figures.values())
