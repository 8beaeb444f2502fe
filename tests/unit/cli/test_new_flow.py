"""`paydispatch new-flow` writes scripts that run unchanged, and overwrites no file of the user."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.examples import NOW_S, entry, make_failure, make_success

from paydispatch.adapters.flow_scripts import FlowFolder
from paydispatch.cli.main import main
from paydispatch.domain.outcomes import Certainty, Error, ErrorKind
from paydispatch.domain.stripe.operations import all_operations, operation_named
from paydispatch.domain.stripe.resources import RESOURCES, Resource, resource_named
from paydispatch.flow import Flow, ParsedError

ROOT = Path(__file__).parents[3]

each_object = pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)


def new_flow(*arguments: str, into: Path) -> int:
    return main(["new-flow", *arguments, "--flows", str(into)])


def flow_for(row: Resource) -> Flow:
    return Flow(entry(object=row.name), attempt=1, now_s=NOW_S)


@each_object
async def test_the_response_flow_runs_and_logs_the_created_object(
    tmp_path: Path, row: Resource, caplog: pytest.LogCaptureFixture
) -> None:
    new_flow(row.name, into=tmp_path)
    created = make_success(body={"id": "obj_1"}).body
    with caplog.at_level(logging.INFO, "paydispatch.flows"):
        await FlowFolder(tmp_path).run(row.response_flow, created, flow_for(row))
    assert "obj_1 was created" in caplog.messages[0]
    assert caplog.messages[1].startswith("next: ")


@pytest.mark.parametrize("name", ["capture_payment_intent", "delete_coupon"])
async def test_any_operation_has_templates_that_run(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    new_flow(name, into=tmp_path)
    operation, flows = operation_named(name), FlowFolder(tmp_path)
    asked = entry(object=operation.object, operation=name)
    flow = Flow(asked, attempt=1, now_s=NOW_S)
    with caplog.at_level(logging.INFO, "paydispatch.flows"):
        await flows.run(operation.response_flow, {"id": "obj_1"}, flow)
        await flows.run(operation.error_flow, ParsedError(make_failure()), flow)
    assert caplog.messages[0] == f"{name} was executed: obj_1"
    assert caplog.messages[2] == f"{name} (not_created): No such customer"


def test_every_operation_has_templates_in_the_format_of_the_project(tmp_path: Path) -> None:
    for operation in all_operations():
        new_flow(operation.name, into=tmp_path / "flows")
    check_format(tmp_path)


ENDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown": (
        {"kind": ErrorKind.HTTP, "certainty": Certainty.UNKNOWN},
        "next: wait for reconciliation before dispatching a new request",
    ),
    "refused": (
        {"kind": ErrorKind.API, "param": "items[0][price]"},
        "next: correct items[0][price] and dispatch it again",
    ),
    "given up": ({"kind": ErrorKind.HTTP}, "next: dispatch it again"),
    "its own script": (
        {"kind": ErrorKind.DISPATCHER, "code": "flow_failed", "certainty": Certainty.UNKNOWN},
        "the coupon was created, but its flow failed: No such customer",
    ),
}


@pytest.mark.parametrize(("fields", "last_line"), ENDINGS.values(), ids=ENDINGS)
async def test_the_error_flow_logs_the_next_step(
    tmp_path: Path, fields: dict[str, Any], last_line: str, caplog: pytest.LogCaptureFixture
) -> None:
    new_flow("coupon", into=tmp_path)
    await run_error_flow(tmp_path, resource_named("coupon"), make_failure(**fields), caplog)
    assert caplog.messages[-1] == last_line


@each_object
async def test_the_error_flow_of_every_object_logs_the_certainty(
    tmp_path: Path, row: Resource, caplog: pytest.LogCaptureFixture
) -> None:
    new_flow(row.name, into=tmp_path)
    await run_error_flow(tmp_path, row, make_failure(), caplog)
    assert "(not_created): No such customer" in caplog.messages[0]


async def run_error_flow(
    folder: Path, row: Resource, error: Error, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "paydispatch.flows"):
        await FlowFolder(folder).run(row.error_flow, ParsedError(error), flow_for(row))


def test_an_existing_flow_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "new_create_price_error.py"
    mine.write_text("mine")
    assert new_flow("price", into=tmp_path) == 0
    assert mine.read_text() == "mine"
    printed = capsys.readouterr().out
    assert f"wrote  {tmp_path / 'new_create_price_response.py'}" in printed
    assert f"kept   {mine}" in printed


def test_the_next_command_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new_flow("price", into=tmp_path)
    assert f"paydispatch worker --all --flows {tmp_path}" in capsys.readouterr().out


def test_all_missing_completes_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "flows"
    new_flow("--all-missing", into=folder)
    expected = {f"{name}.py" for row in RESOURCES for name in (row.response_flow, row.error_flow)}
    assert {path.name for path in folder.iterdir()} == expected
    capsys.readouterr()
    new_flow("--all-missing", into=folder)
    assert capsys.readouterr().out.endswith("Every object has both flows already.\n")


def test_an_unknown_name_is_refused_with_the_nearest_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new_flow("payment_intnt", into=tmp_path) == 2
    said = capsys.readouterr().err
    assert "Did you mean payment_intent or" in said
    assert "docs/operations-table.md" in said
    assert not list(tmp_path.iterdir())


def test_an_object_or_all_missing_must_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["new-flow"])
    assert "OPERATION" in capsys.readouterr().err


def test_the_flows_have_the_format_of_the_project(tmp_path: Path) -> None:
    new_flow("--all-missing", into=tmp_path / "flows")
    check_format(tmp_path)


def check_format(tmp_path: Path) -> None:
    config = ("--config", str(ROOT / "pyproject.toml"))
    ruff = (sys.executable, "-m", "ruff")
    for command in (("format", "--check"), ("check", "--ignore", "INP001")):
        arguments = [*ruff, *command, *config, "flows"]
        run = subprocess.run(arguments, check=False, cwd=tmp_path, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("name", ["any", "any_response", "any_error"])
def test_the_flows_for_any_operation_are_written(tmp_path: Path, name: str) -> None:
    assert new_flow(name, into=tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"any_response.py", "any_error.py"}


def test_the_name_of_one_flow_stands_for_both(tmp_path: Path) -> None:
    assert new_flow("new_create_price_error", into=tmp_path) == 0
    written = {"new_create_price_response.py", "new_create_price_error.py"}
    assert {path.name for path in tmp_path.iterdir()} == written
