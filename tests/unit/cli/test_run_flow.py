"""`paydispatch run-flow` runs one flow with any outcome that a developer has at hand."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import entry, make_failure, make_success

from paydispatch.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.usefixtures("restored_modules")

RESPONSE = """\
def run(parsed_data, flow):
    flow.log.info("%s %s %s", flow.operation, flow.context_id, parsed_data["id"])
    flow.capture_payment_intent(parsed_data["id"]).call_async()
"""
ERROR = """\
def run(parsed_error, flow):
    flow.log.warning("%s %s", parsed_error.code, parsed_error.certainty)
"""
FAILURE = make_failure()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    folder = tmp_path / f"flows_{tmp_path.name}"
    folder.mkdir()
    (folder / "new_create_payment_intent_response.py").write_text(RESPONSE)
    (folder / "new_create_payment_intent_error.py").write_text(ERROR)
    monkeypatch.setenv("FLOWS_DIR", str(folder))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, data: Any = None) -> tuple[int, str, str]:
        if data is not None:
            (tmp_path / "data.json").write_text(json.dumps(data))
            arguments = (*arguments, "--data", "data.json")
        code = main(["run-flow", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_without_data_the_twin_makes_the_answer(run: Run) -> None:
    code, printed, _ = run("new_create_payment_intent_response")
    assert code == 0
    assert printed.startswith("INFO create_payment_intent context-1 pi_")
    assert "dispatches capture_payment_intent('pi_" in printed


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("declined", "card_declined not_created"),
        ("unknown", "timeout unknown"),
        ("flow_failed", "flow_failed unknown"),
    ],
)
def test_an_error_is_made_by_its_name(run: Run, error: str, said: str) -> None:
    assert run("new_create_payment_intent_error", "--error", error)[1].startswith(f"WARNING {said}")


def test_an_error_script_gets_a_declined_card_unless_it_is_told_otherwise(run: Run) -> None:
    assert "card_declined" in run("new_create_payment_intent_error")[1]


ENTRY = json.loads(entry(context_id="c9", outcome=make_success(body={"id": "pi_9"})).as_json())
FAILED = json.loads(entry(outcome=FAILURE).as_json())


@pytest.mark.parametrize(
    "data",
    [
        {"id": "pi_9"},
        {"request_id": "pdr_1", "status": "succeeded", "parsed_data": {"id": "pi_9"}},
        ENTRY,
        {"id": "1-0", "entry": ENTRY},
        {"flows": [{"entry": FAILED}, {"entry": ENTRY}]},
    ],
    ids=["answer", "status", "entry", "dead flow", "dead flows"],
)
def test_a_saved_answer_is_read_in_each_of_its_forms(run: Run, data: Any) -> None:
    code, printed, _ = run("new_create_payment_intent_response", data=data)
    assert code == 0
    assert "pi_9" in printed


def test_a_saved_entry_brings_its_context(run: Run) -> None:
    assert " c9 " in run("new_create_payment_intent_response", data=ENTRY)[1]


@pytest.mark.parametrize(
    "data",
    [
        FAILURE.as_dict(),
        {"request_id": "pdr_1", "parsed_error": FAILURE.as_dict()},
        FAILED,
        {"flows": [{"entry": ENTRY}, {"entry": FAILED}]},
    ],
    ids=["error", "status", "entry", "dead flows"],
)
def test_a_saved_error_is_read_in_each_of_its_forms(run: Run, data: Any) -> None:
    assert str(FAILURE.code) in run("new_create_payment_intent_error", data=data)[1]


@pytest.mark.parametrize(
    "data",
    [
        [],
        {"request_id": "pdr_1", "status": "retrying"},
        {"kind": "api", "certainty": "maybe"},
        {"flows": []},
    ],
)
def test_another_form_is_a_mistake_of_one_line(run: Run, data: Any) -> None:
    code, printed, said = run("new_create_payment_intent_error", data=data)
    assert (code, printed, said.count("\n")) == (2, "", 1)


def test_an_outcome_comes_from_stdin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"id": "pi_9"}'))
    assert "pi_9" in run("new_create_payment_intent_response", "--data", "-")[1]


def test_a_script_that_raises_ends_with_1_and_its_traceback(run: Run, tmp_path: Path) -> None:
    (tmp_path / "any_response.py").write_text("def run(data, flow):\n    data['price']\n")
    code, _, said = run(str(tmp_path / "any_response.py"), "--operation", "create_price")
    assert code == 1
    assert "KeyError: 'price'" in said
    assert "any_response.py" in said


def test_a_script_that_cannot_be_imported_ends_with_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "any_response.py").write_text("import nothing_of_this_name\n")
    code, _, said = run(str(tmp_path / "any_response.py"), "--operation", "create_price")
    assert code == 1
    assert "nothing_of_this_name" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("new_create_price_response",), "There is no flow"),
        (("new_create_payment_intent_response", "--error", "unknown"), "parsed_data"),
        (("new_create_payment_intent_response", "--operation", "create_nothing"), "create_nothing"),
    ],
)
def test_arguments_that_do_not_fit_are_a_mistake_of_one_line(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    code, printed, complained = run(*arguments)
    assert (code, printed, complained.count("\n")) == (2, "", 1)
    assert said in complained


def test_the_result_in_json_has_the_requests_and_the_log(run: Run) -> None:
    _, printed, _ = run("new_create_payment_intent_response", "--json", data={"id": "pi_9"})
    result = json.loads(printed)
    assert result["dispatched"][0]["operation"] == "capture_payment_intent"
    assert result["logged"] == [
        {"level": "INFO", "message": "create_payment_intent context-1 pi_9"}
    ]
