"""The flow of every request in a chaos run. It behaves as the metadata of its request say, and logs each completed run.

script       raises_once | raises | hangs_once | later_once | follows_up | (anything else returns)
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.chaos.points import CHAOS_DIR, append_line
from tests.chaos.requests_made import LOCAL

from paydispatch.domain.identity.slots import slot_name
from paydispatch.flow import RetryLater

FLOW_LOG = "flows.jsonl"

FOLLOW_UP_DEADLINE_S = 60.0
"""A follow-up may carry the key that changes its account. Without a deadline it would wait for it beyond the run."""
_RETRIED_LATER: set[str] = set()
"""Requests that raised `RetryLater` in this process. Their attempt stays 1, so `flow.attempt` does not show it."""


def run(parsed: Any, flow: Any) -> None:
    script = (flow.params.get("metadata") or {}).get("script")
    response = isinstance(parsed, dict)
    _behave(script, flow, response=response)
    _note(parsed, flow, response=response)


def _behave(script: str | None, flow: Any, *, response: bool) -> None:
    first = flow.attempt == 1
    if script == "raises_once" and first:
        raise RuntimeError("It raises once.")
    if script == "raises" and response:
        raise RuntimeError("It raises every time.")
    if script == "hangs_once" and first:
        time.sleep(float(os.environ["FLOW_TIMEOUT_S"]) + 1)
        raise RuntimeError("The worker no longer waits for this flow.")
    if script == "later_once" and flow.request_id not in _RETRIED_LATER:
        _RETRIED_LATER.add(flow.request_id)
        raise RetryLater(after_s=0.5)
    if script == "follows_up" and response:
        flow.new_coupon().percent_off(5).duration("once").metadata(
            {"n": f"after-{flow.params['metadata']['n']}"}
        ).create_async(deadline_s=FOLLOW_UP_DEADLINE_S)


def _note(parsed: Any, flow: Any, *, response: bool) -> None:
    line = {
        "at": time.time(),
        "request_id": flow.request_id,
        "worker_id": slot_name(flow.tenant, flow.worker_id, LOCAL),
        "context_id": flow.context_id,
        "object": flow.object,
        "ending": "response" if response else "error",
        "kind": None if response else str(parsed.kind),
        "code": None if response else parsed.code,
        "certainty": None if response else str(parsed.certainty),
        "created": parsed.get("id") if response else None,
        "attempt": flow.attempt,
        "pid": os.getpid(),
    }
    append_line(Path(os.environ[CHAOS_DIR]) / FLOW_LOG, line)
