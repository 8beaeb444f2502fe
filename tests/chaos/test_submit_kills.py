"""A short run of `submit_kills`: 500 lines and one kill for each way. Each line has one effect."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("way", ["queue", "api"])
def test_a_killed_submission_makes_each_request_once(way: str) -> None:
    options = ("--lines", "500", "--kills", "1", "--way", way, "--seed", "3", "--json")
    run = subprocess.run(
        (sys.executable, "-m", "tests.chaos.submit_kills", *options),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert (found["effects"], found["effects_too_many"]) == (500, 0)
    assert len(found["killed_at"]) == 1
