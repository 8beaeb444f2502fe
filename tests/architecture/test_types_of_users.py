"""A type checker finds the mistakes of a program that dispatches, and none in a correct one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
from paydispatch import Dispatcher, new_product
from paydispatch.operations import delete_coupon

def right() -> None:
    with Dispatcher.from_env(buffer_size=10, warm=["create_product"], status_url="https://api"):
        receipt = new_product().name("Tea").create_async("w", "c", "sk", lane="batch")
        delete_coupon("SUMMER").call_async("w", "c", "sk", lane="interactive")
        print(receipt.outcome(10).status == "succeeded")

async def awaited() -> str:
    receipt = new_product().name("Tea").create_async("w", "c", "sk")
    outcome = await receipt.outcome(timeout_s=10)
    return outcome.status

def wrong() -> None:
    new_product().name("Tea").create_async("w", "c", "sk", lane="express")  # wrong
    delete_coupon("SUMMER").call_async("w", "c", "sk", lane="Batch")  # wrong
    Dispatcher.from_env(bufer_size=10)  # wrong
    Dispatcher.http("https://api", delivery_timeout_s="10")  # wrong
"""


def test_mypy_finds_a_wrong_lane_and_a_wrong_option(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    command = (sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(program))
    told = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300
    ).stdout

    found = {int(number) for number in re.findall(r"program\.py:(\d+): error", told)}
    wanted = {
        number
        for number, line in enumerate(PROGRAM.splitlines(), start=1)
        if line.endswith("# wrong")
    }
    assert found == wanted, told
