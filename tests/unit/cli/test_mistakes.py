"""A mistake of the user is one line on stderr and exit code 2. A fault in paydispatch keeps its traceback."""

from __future__ import annotations

import os
import sys
from itertools import product
from pathlib import Path

import pytest

from paydispatch.cli.commands import twin
from paydispatch.cli.errors import one_line
from paydispatch.cli.main import main

FLOWS = str(Path(__file__).parents[3] / "flows")
READ_REDIS_URL = [
    "dlq list",
    "dlq show pdr_1",
    "doctor",
    "limits show",
    "limits set --account acct_1 5",
    "pause --all",
    "resume --all",
    "reconcile",
    "status pdr_1",
    f"worker --all --flows {FLOWS}",
    f"local --flows {FLOWS} --redis-url redis://user:pass/word@host:6379",
]


def run_to_error(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that must fail. Return its one line on stderr."""
    assert main(command.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("paydispatch: ")
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize("command", READ_REDIS_URL)
def test_an_invalid_redis_url_is_reported_and_not_shown(
    command: str, away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.setenv("REDIS_URL", "redis://user:pass/word@host:6379")

    said = run_to_error(command, capsys)

    assert "REDIS_URL must be like redis://" in said
    assert "word" not in said.replace("PASSWORD", "")


def test_a_local_stack_refuses_a_remote_redis_without_tls(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = run_to_error(f"local --flows {FLOWS} --redis-url redis://user:word@host:6379", capsys)

    assert "--redis-url must be like rediss://" in said
    assert "word" not in said.replace("PASSWORD", "")


@pytest.mark.parametrize(
    "command", ["local --stripe-base", "submit requests.jsonl --api", "status pdr_1 --api"]
)
def test_a_remote_address_without_tls_is_refused(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "http://stripe.example"])

    assert ended.value.code == 2
    assert "is not a URL such as https://" in capsys.readouterr().err


def test_an_invalid_number_in_a_variable_is_reported(
    away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.setenv("MAX_RECEIVES", "nan")

    assert "MAX_RECEIVES must be a number, not 'nan'." in run_to_error("dlq list", capsys)


@pytest.mark.parametrize("command", READ_REDIS_URL[:-1])
def test_a_variable_that_is_not_set_is_named(
    command: str, away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.delenv("REDIS_URL")

    assert "REDIS_URL is not set" in run_to_error(command, capsys)


@pytest.mark.parametrize(
    ("library", "module", "command"),
    [("redis", "redis", "status pdr_1"), ("boto3", "boto3", "submit requests.jsonl")],
)
def test_a_library_that_is_not_installed_is_named_with_the_command_to_install_it(
    library: str,
    module: str,
    command: str,
    away: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    away.chdir(tmp_path)
    Path("requests.jsonl").touch()
    away.setitem(sys.modules, module, None)
    # An earlier test may have imported boto3 into it.
    away.delitem(sys.modules, "paydispatch.adapters.aws.sqs_delivery", raising=False)

    said = run_to_error(command, capsys)

    assert (
        f"{library} is not installed. Run pip install 'paydispatch[worker]' to use this command."
        in said
    )


@pytest.mark.parametrize("command", ["demo", "local", "twin"])
def test_a_command_of_the_local_stack_names_the_extra_with_its_servers(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "hypercorn", None)

    said = run_to_error(command, capsys)

    assert "hypercorn is not installed. Run pip install 'paydispatch[local]'" in said


def test_a_missing_module_of_paydispatch_is_no_mistake_of_the_user() -> None:
    assert one_line(ModuleNotFoundError("gone", name="paydispatch.adapters.gone")) is None


def test_a_fault_in_paydispatch_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> int:
        raise KeyError("request_id")

    monkeypatch.setattr(twin, "run", broken)
    with pytest.raises(KeyError):
        main(["twin"])


@pytest.mark.parametrize("command", ["dlq list", "dlq show pdr_1", "dlq redrive", "doctor"])
def test_an_invalid_endpoint_of_aws_is_reported(
    command: str, away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.setenv("AWS_ENDPOINT_URL", "nonsense")

    assert "AWS: Invalid endpoint: nonsense" in run_to_error(command, capsys)


@pytest.mark.parametrize(("default", "used"), [(None, "eu-west-1"), ("us-east-1", "us-east-1")])
def test_aws_region_is_enough(default: str | None, used: str, away: pytest.MonkeyPatch) -> None:
    away.setenv("AWS_REGION", "eu-west-1")
    if default is None:
        away.delenv("AWS_DEFAULT_REGION")

    main(["submit", "no-such-file"])

    assert os.environ["AWS_DEFAULT_REGION"] == used


def test_a_missing_file_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no file no-such-file." in run_to_error("submit no-such-file", capsys)


def test_a_file_that_is_not_utf_8_is_reported_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_bytes('{"object": "coupon"}\n{"object": "\xe9"}\n'.encode("latin-1"))

    said = run_to_error(f"submit {file} --api http://127.0.0.1:1", capsys)

    assert f"{file}, line 2, is not UTF-8." in said


def test_a_file_that_cannot_be_written_is_reported_with_its_name() -> None:
    refused = PermissionError(13, "Permission denied", "requests.jsonl.submitted")

    assert one_line(refused) == "requests.jsonl.submitted: Permission denied"


def test_a_port_in_use_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with twin._listener(0) as taken:
        port = taken.getsockname()[1]
        assert f"Cannot listen on port {port}" in run_to_error(f"twin --port {port}", capsys)


def test_a_file_in_place_of_the_flows_folder_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flows = tmp_path / "flows"
    flows.touch()
    for folder in (flows, flows / "mine"):
        said = run_to_error(f"new-flow coupon --flows {folder}", capsys)
        assert f"The folder {folder} cannot be created" in said


@pytest.mark.parametrize(
    ("command", "by"),
    [
        *product(["local", "worker --all"], ["--flows", "FLOWS_DIR"]),
        ("demo", "--flows"),  # without it the demo runs flows of its own
    ],
)
def test_a_missing_flows_folder_is_reported_before_any_process_starts(
    command: str,
    by: str,
    away: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    missing = tmp_path / "flows"
    if by == "FLOWS_DIR":
        away.setenv(by, str(missing))
    option = f" --flows {missing}" if by == "--flows" else ""

    assert f"There is no flows folder {missing}." in run_to_error(command + option, capsys)
