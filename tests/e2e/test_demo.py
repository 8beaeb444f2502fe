"""The demo runs every flow that it promises and leaves no process running."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = "PAYDISPATCH_TEST_MARK"


def test_the_demo_runs_every_flow_it_promises_and_leaves_nothing_running() -> None:
    mark = f"{MARK}={os.getpid()}"
    done = subprocess.run(
        [sys.executable, "-m", "paydispatch", "demo", "--json"],
        cwd=ROOT,
        env={**os.environ, MARK: str(os.getpid())},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )

    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout)
    flows = {(row["flow"], row["error_kind"]) for row in report["requests"] if row["ok"]}
    conversation = {
        ("new_capture_payment_intent_response", None),
        ("new_capture_payment_intent_error", "api"),
        ("new_cancel_payment_intent_response", None),
    }
    responses = {
        (f"new_create_{name}_response", None)
        for name in ("product", "price", "subscription", "payment_intent", "coupon")
    }
    errors = {
        ("new_create_payment_intent_error", "api"),
        ("new_create_payment_intent_error", "http"),
        ("new_create_product_error", "dispatcher"),
    }
    assert responses | conversation | errors <= flows
    assert all(row["total_ms"] is not None for row in report["requests"])
    assert processes_with(mark) == []


def processes_with(mark: str) -> list[str]:
    """Return the command lines of all processes with the mark in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # the process has ended, or belongs to another user
            continue
        if mark.encode() in environment:
            found.append(command)
    return found
