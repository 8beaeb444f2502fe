"""Write a file of requests, submit it, and read the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paydispatch.cli.main import main

if TYPE_CHECKING:
    import pytest

    from paydispatch.testing.memory_delivery import MemoryDelivery

API = "https://api.example.com"
RUN = "run_0123456789abcdef"
FILE = Path("requests.jsonl")
LEDGER = Path("requests.jsonl.submitted")


def line(worker_id: str = "worker-1", **fields: Any) -> str:
    item = {
        "object": "coupon",
        "worker_id": worker_id,
        "context_id": "c",
        "secret_ref": "shop",
        "params": {"percent_off": 5, "duration": "once"},
    }
    return json.dumps({**item, **fields})


def submit_lines(*lines: str, to: tuple[str, ...] = ("--api", API)) -> int:
    FILE.write_text("\n".join(lines) + "\n", "utf-8")
    return main(["submit", str(FILE), *to])


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return shown


def ids_in(delivery: MemoryDelivery) -> list[str]:
    return [envelope.request_id for envelope in delivery.envelopes]
