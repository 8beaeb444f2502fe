"""A command on a laptop runs in the built operator's function, and reconcile in the reconciler's, as on AWS.

Both run under AWS's runtime emulator, with a real Valkey and MiniStack behind them.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from backing import local_stack
from emulator import EmulatedFunction
from run_event import variables_of
from tests.integration.host_functions import STACK

from paydispatch.adapters.aws.functions import INVOKE_CONFIG
from paydispatch.cli.main import main
from paydispatch.cli.remote import OperatorFunction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.integration.host_functions import HostFunctions

pytestmark = pytest.mark.build

ARN = "arn:aws:sts::111122223333:assumed-role/oncall/ada"
NO_ONE: dict[str, Any] = {
    "region_name": "us-east-1",
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
}


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, str]]:
    with local_stack() as variables:
        yield variables


@pytest.fixture(scope="module")
def function(services: Mapping[str, str], host: HostFunctions) -> Iterator[EmulatedFunction]:
    """The operator's function, which finds the reconciler's where Lambda would be."""

    def start(name: str, **more: str) -> EmulatedFunction:
        built = host.built(name)
        environment = variables_of(built, STACK, services) | more
        return running.enter_context(EmulatedFunction(built, host.runtime, environment))

    with ExitStack() as running:
        reconciler = start("ReconcileFunction")
        there = {"RECONCILE_FUNCTION": "function", "AWS_ENDPOINT_URL_LAMBDA": reconciler.url}
        yield start("OperatorFunction", **there)


@pytest.fixture
def command(
    function: EmulatedFunction,
    services: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    client = boto3.client("lambda", endpoint_url=function.url, config=INVOKE_CONFIG, **NO_ONE)
    reached = OperatorFunction(client, "function", ARN)
    monkeypatch.setattr("paydispatch.cli.remote.connect", lambda _: reached)
    for name, value in services.items():
        monkeypatch.setenv(name, value)

    def run(line: str) -> tuple[int, str, str]:
        code = main(line.split())
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.mark.parametrize(
    "line",
    [
        "status pdr_missing",
        "limits show --json",
        "dlq list",
        "dlq show pdr_missing",
        "dlq redrive --json",
        "reconcile --json",
        "reconcile --same-account pdr_missing",
        "forget --context nobody",
        "limits reset --account acct_1",
    ],
)
def test_a_command_prints_the_same_here_and_there(command: Any, line: str) -> None:
    assert command(f"{line} --stack shop") == command(line)


def test_a_pause_holds_until_a_resume_and_each_is_one_line_in_the_log(
    command: Any, function: EmulatedFunction
) -> None:
    assert command("pause --lane batch --stack shop")[1].endswith(f"by {ARN}.\n")
    assert [pause["by"] for pause in json.loads(command("limits show --json")[1])["pauses"]] == [
        ARN
    ]
    assert command("doctor --stack shop")[0] == 1
    assert command("resume --lane batch --stack shop")[0] == 0

    lines = [json.loads(line) for line in function.logs if "command.done" in line]
    assert [(line["command"], line["caller"]) for line in lines][-3:] == [
        (name, ARN) for name in ("pause", "doctor", "resume")
    ]
