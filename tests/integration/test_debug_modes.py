"""No debug mode of a library prints the Stripe key or the data key that seals it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.examples import KEY

from paydispatch.local.settings import local_aws

ROOT = Path(__file__).parents[2]

MODES: dict[str, dict[str, str]] = {
    "none": {},
    "POWERTOOLS_DEV": {"POWERTOOLS_DEV": "true"},
    "POWERTOOLS_DEBUG": {"POWERTOOLS_DEBUG": "true", "PYTHONWARNINGS": "default"},
    "event and level": {
        "POWERTOOLS_LOGGER_LOG_EVENT": "true",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
        "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
        "LOG_LEVEL": "DEBUG",
    },
    "asyncio": {"PYTHONASYNCIODEBUG": "1"},
}
MODES["all"] = {name: value for mode in MODES.values() for name, value in mode.items()}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_no_debug_mode_prints_a_key(mode: dict[str, str]) -> None:
    aws = {name: value for name, value in local_aws("").items() if name != "AWS_ENDPOINT_URL"}
    run = subprocess.run(
        [sys.executable, "-m", "tests.integration.keys_everywhere", KEY],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**aws, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "functions"), **mode},
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-2_000:].replace(KEY, "[the key]")
    printed, _, data_key = run.stdout.rstrip("\n").rpartition("\n")
    shown = printed + run.stderr
    assert "an.attempt" in shown
    assert KEY.removeprefix("sk_test_") not in shown
    assert data_key not in shown
