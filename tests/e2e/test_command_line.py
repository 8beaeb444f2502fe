"""The commands as an operator runs them: exit codes, one line for each error, and a note on every cut list."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from tests.away import AWAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paydispatch.local.stack import LocalStack

PAYDISPATCH = (sys.executable, "-m", "paydispatch")
# A background job of a shell ignores SIGINT, and a test run may be one.
TAKES_CTRL_C = """
import signal, sys
from paydispatch.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""
FLOWS = str(Path(__file__).parents[2] / "flows")
COUPON = json.dumps(
    {
        "object": "coupon",
        "worker_id": "worker-1",
        "context_id": "c-1",
        "secret_ref": "shop",
        "params": {"percent_off": 5, "duration": "once"},
    }
)
NEED_AWS = [
    "dlq list",
    "doctor",
    "reconcile",
    f"worker --all --flows {FLOWS}",
    f"submit {__file__}",
]


def command(line: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PAYDISPATCH, *line.split()],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env=environment,
    )


@pytest.mark.parametrize("line", NEED_AWS)
def test_a_missing_region_is_reported_in_one_line(line: str) -> None:
    ended = command(line, AWAY)

    assert ended.returncode == 2
    assert ended.stderr == "paydispatch: AWS: You must specify a region. Set AWS_REGION.\n"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that listens and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield listener


@pytest.mark.parametrize("words", ["status pdr_1", "submit coupon.jsonl"])
def test_ctrl_c_ends_a_command_without_a_traceback(
    words: str, silent: socket.socket, tmp_path: Path
) -> None:
    (tmp_path / "coupon.jsonl").write_text(COUPON)
    api = f"http://127.0.0.1:{silent.getsockname()[1]}"
    asking = (sys.executable, "-c", TAKES_CTRL_C, *words.split(), "--api", api)
    with subprocess.Popen(asking, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        connection, _ = silent.accept()
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    connection.close()

    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert len(stderr.splitlines()) <= 1  # one line names the requests that may have been accepted


@pytest.fixture
def stack_environment(
    stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """The environment of a stack with two messages in its dead-letter queue that SQS moved there by itself."""
    environment = stack.environment()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    sqs, url = boto3.client("sqs"), stack.addresses.dead_letter_queue_url
    for body in ("not JSON", "neither is this"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    yield environment
    sqs.purge_queue(QueueUrl=url)
    sqs.close()


def messages(line: str, environment: dict[str, str]) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = json.loads(command(line, environment).stdout)["messages"]
    return shown


def test_a_list_that_stops_at_its_limit_reports_it(stack_environment: dict[str, str]) -> None:
    cut = command("dlq list --limit 1 --json", stack_environment)
    whole = command("dlq list --json", stack_environment)

    assert cut.stderr == "Stopped after 1. There may be more (--limit).\n"
    assert json.loads(cut.stdout)["may_be_more"] is True
    assert (whole.stderr, json.loads(whole.stdout)["may_be_more"]) == ("", False)


def test_messages_that_sqs_moved_itself_are_found_by_their_listed_reason(
    stack_environment: dict[str, str],
) -> None:
    (reason,) = {one["reason"] for one in messages("dlq list --json", stack_environment)}
    by_reason = (*PAYDISPATCH, "dlq", "list", "--json", "--reason", reason)
    found = subprocess.run(
        by_reason, capture_output=True, check=True, text=True, env=stack_environment
    )

    assert len(json.loads(found.stdout)["messages"]) == 2


def test_one_message_is_printed_as_json_with_and_without_the_option(
    stack_environment: dict[str, str],
) -> None:
    id_ = messages("dlq list --json", stack_environment)[0]["id"]

    with_it, without = (
        command(f"dlq show {id_}{json_}", stack_environment) for json_ in (" --json", "")
    )

    assert json.loads(with_it.stdout)["message_id"] == id_
    assert json.loads(without.stdout)["message_id"] == id_


def test_aws_region_alone_is_enough(stack_environment: dict[str, str]) -> None:
    environment = stack_environment | {"AWS_REGION": stack_environment["AWS_DEFAULT_REGION"]}
    del environment["AWS_DEFAULT_REGION"]

    assert len(messages("dlq list --json", environment)) == 2
