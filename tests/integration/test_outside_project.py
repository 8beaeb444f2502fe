"""The flows of a project outside this repository, with a library of their own, run in the built flow runner."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from add_flows import add_flows
from backing import local_stack
from build_function import ROOT, host_target
from emulator import EmulatedFunction
from run_event import as_if_sent_now, build_for_host, prepare_runtime, variables_of
from stack_template import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.build

STACK = load()
UV = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
FLOW = """
import humanize
def run(parsed_data, flow):
    print("booked in the shop:", humanize.intcomma(1234567), flow.operation)
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with one flow and a requirements file."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "any_response.py").write_text(FLOW)
    (tmp_path / "requirements.txt").write_text("humanize==4.11.0\n")
    return tmp_path


def test_the_flows_of_a_project_run_with_their_own_library(shop: Path) -> None:
    emulator = subprocess.run(
        ["make", "--silent", "emulator", f"UV={UV}"],
        cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE,
    ).stdout.strip()  # fmt: skip
    runtime = prepare_runtime(ROOT / emulator, UV)
    caller = build_for_host("StripeCallerFunction", STACK, runtime.python, UV)
    runner = build_for_host("FlowRunnerFunction", STACK, runtime.python, UV)
    target = host_target(runtime.python, runner.directory)
    add_flows(runner.directory, shop / "flows", shop / "requirements.txt", target, UV)

    with local_stack() as services:
        for function, event in ((caller, "sqs_create"), (runner, "doorbell")):
            message = as_if_sent_now(
                json.loads((ROOT / "tests" / "events" / f"{event}.json").read_text())
            )
            environment = variables_of(function, STACK, services)
            with EmulatedFunction(function, runtime, environment) as running:
                assert running.invoke(message).body == {"batchItemFailures": []}
                logs = running.logs

    assert any("booked in the shop: 1,234,567 create_coupon" in line for line in logs)
