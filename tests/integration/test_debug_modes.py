"""No debug mode of a library prints the Stripe key or the data key that seals it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.examples import KEY

from paydispatch.local.settings import local_aws

if TYPE_CHECKING:
    from tests.integration.conftest import ValkeyServer

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


WEBHOOK_SECRET = "whsec_" + "Mute" * 8

REACHED = (
    "request.accepted",
    "message.refused",
    "request.deferred",
    "request.settled",
    "breaker.opened",
    "event.refused",
    "event.queued",
    "flow.raised",
    "a flow",
    "command.done",
    "still_paused",
    "QUEUE request_queue_url",
    "QUEUE dead_letter_queue_url",
    "QUEUE look_queue_url",
    "REDIS b'pd:{w}:dead'",
    "REDIS b'pd:req:{",
    "COMMAND status",
    "on the dead stream since",
    "CONSOLE 200",
    "SUBMISSION requests.jsonl.submitted",
    "SUBMISSION requests.jsonl.results.jsonl {",
)
"""What stands in the output of a run that reached every path and every place."""

METRICS = {"none": "CloudWatchMetrics", "all": "flow.raised"}
"""Powertools prints no metrics in its mode for development."""


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_no_debug_mode_prints_a_key(mode: dict[str, str]) -> None:
    run = _run("keys_everywhere", KEY, **mode)
    printed, _, data_key = run.stdout.rstrip("\n").rpartition("\n")
    shown = printed + run.stderr
    assert "an.attempt" in shown
    assert KEY.removeprefix("sk_test_") not in shown
    assert data_key not in shown


@pytest.mark.parametrize("mode", ["none", "all"])
def test_no_path_leaves_a_key_in_any_place(mode: str, valkey: ValkeyServer) -> None:
    """The places: logs, metrics, answers, statuses, messages with attributes, Redis, flows with tracebacks, paths of
    requests, the console's data, the files of a submission."""
    run = _run("keys_on_every_path", KEY, WEBHOOK_SECRET, REDIS_URL=valkey.url, **MODES[mode])
    printed, _, data_key = run.stdout.rstrip("\n").rpartition("\n")
    shown = printed + run.stderr
    assert [sign for sign in (*REACHED, METRICS[mode]) if sign not in shown] == []
    assert len(data_key) == 44  # 32 bytes as base64
    for secret in (KEY.removeprefix("sk_test_"), WEBHOOK_SECRET.removeprefix("whsec_"), data_key):
        assert secret not in shown


def _run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    aws = {name: value for name, value in local_aws("").items() if name != "AWS_ENDPOINT_URL"}
    run = subprocess.run(
        [sys.executable, "-m", f"tests.integration.{program}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={
            **aws,
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "functions"),
            **environment,
        },
        timeout=300,
    )
    assert run.returncode == 0, run.stderr[-2_000:].replace(KEY, "[the key]")
    return run
