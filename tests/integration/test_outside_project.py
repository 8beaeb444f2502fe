"""The flows of a project outside this repository, with a library of their own, run in the built flow runner."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from add_flows import add_flows
from backing import local_stack
from build_function import ROOT, host_target
from emulator import EmulatedFunction
from run_event import as_if_sent_now, variables_of
from tests.integration.host_functions import STACK, UV

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.host_functions import HostFunctions

pytestmark = pytest.mark.build

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


def test_the_flows_of_a_project_run_with_their_own_library(shop: Path, host: HostFunctions) -> None:
    caller = host.built("StripeCallerFunction")
    runner = host.build("FlowRunnerFunction", shop / "build")
    target = host_target(host.runtime.python, runner.directory)
    add_flows(runner.directory, shop / "flows", shop / "requirements.txt", target, UV)

    with local_stack() as services:
        for function, event in ((caller, "sqs_create"), (runner, "doorbell")):
            message = as_if_sent_now(
                json.loads((ROOT / "tests" / "events" / f"{event}.json").read_text())
            )
            environment = variables_of(function, STACK, services)
            with EmulatedFunction(function, host.runtime, environment) as running:
                assert running.invoke(message).body == {"batchItemFailures": []}
                logs = running.logs

    assert any("booked in the shop: 1,234,567 create_coupon" in line for line in logs)
