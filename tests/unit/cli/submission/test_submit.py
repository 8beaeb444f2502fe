"""`paydispatch submit` prints its report in every case, and remembers the lines of each target separately."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.submission.submissions import (
    API,
    LEDGER,
    RUN,
    ids_in,
    line,
    report,
    submit_lines,
)
from tests.unit.examples import TRACEPARENT

from paydispatch.cli.main import main
from paydispatch.cli.submission.ledger import FileLedger
from paydispatch.domain.errors import IdempotencyConflict
from paydispatch.domain.identity.request_ids import request_id_for_key

if TYPE_CHECKING:
    from paydispatch.domain.requests import OperationRequest
    from paydispatch.sdk.delivery import PreparedRequest
    from paydispatch.testing.memory_delivery import MemoryDelivery


def test_a_line_names_its_operation_and_the_ids_of_its_path(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"operation": "capture_payment_intent", "path": {"intent": "pi_1"}}
    other = {"worker_id": "w", "context_id": "c", "secret_ref": "shop", "params": {}}
    wrong = {"operation": "capture_payment_intent", "path": {"intent": "a/b"}}
    assert submit_lines(json.dumps(named | other), json.dumps(wrong | other)) == 1
    (sent,) = delivery.envelopes
    assert (sent.operation, sent.path) == ("capture_payment_intent", {"intent": "pi_1"})
    assert "line 2: Invalid path[intent]" in capsys.readouterr().out


def test_a_line_may_carry_a_trace_context(delivery: MemoryDelivery) -> None:
    traced = json.loads(line()) | {"traceparent": TRACEPARENT}
    invalid = json.loads(line()) | {"traceparent": "junk"}
    assert submit_lines(json.dumps(traced), json.dumps(invalid)) == 0
    assert [sent.traceparent for sent in delivery.envelopes] == [TRACEPARENT, None]


def test_a_line_that_is_not_delivered_is_reported_beside_the_others(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery.refusals["refused"] = IdempotencyConflict("order-1")

    code = submit_lines(line(), line("refused"), line(), "{", to=("--api", API, "--json"))

    shown = report(capsys)
    assert (code, shown["submitted"]) == (1, 2)
    refused = {refusal["line"]: refusal["message"] for refusal in shown["refused"]}
    assert "first used with another body" in refused[2]
    assert refused[4] == "The line is not valid JSON."


def test_equal_refusals_are_one_line_with_the_first_lines_and_a_count(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    faulty = [line(params={"percent_off": f"{n} %", "duration": "once"}) for n in range(500)]

    assert submit_lines(*faulty, "{", line()) == 1

    shown = capsys.readouterr().out
    assert "1 submitted, 501 refused." in shown
    assert "500 lines (1, 2, 3, 4, 5 …)" in shown
    assert "such as: " in shown
    assert "line 501: The line is not valid JSON." in shown
    assert len(shown.splitlines()) == 4


def test_every_refused_line_is_listed_with_its_reason(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery.refusals["refused"] = IdempotencyConflict("order-1")

    assert submit_lines(line("refused"), "{", line()) == 1

    shown = capsys.readouterr().out
    assert "1 submitted, 2 refused." in shown
    assert "line 1: The Idempotency-Key" in shown
    assert "line 2: The line is not valid JSON." in shown


def test_an_interrupted_submission_prints_its_report(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submit_lines("{", line("ctrl-c")) == 130

    assert "line 1: The line is not valid JSON." in capsys.readouterr().out


@pytest.mark.parametrize(
    "other", [("--api", "https://other.example.com"), ("--queue-url", "https://sqs/queue")]
)
def test_each_target_gets_every_line(
    other: tuple[str, ...], delivery: MemoryDelivery, away: pytest.MonkeyPatch
) -> None:
    submit_lines(line(), line())
    submit_lines(line(), line(), to=other)

    assert len(delivery.envelopes) == 4


def test_no_target_gets_a_line_twice(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    submit_lines(line(), line())
    submit_lines(line(), line(), line(), to=("--api", API + "/"))

    assert len(delivery.envelopes) == 3
    assert "1 submitted, 2 skipped: submitted earlier, 0 refused." in capsys.readouterr().out


def test_the_report_names_the_ledger(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    submit_lines(line())
    assert "requests.jsonl.submitted lists the lines of run_" in capsys.readouterr().out

    submit_lines(line(), to=("--api", API, "--json"))
    shown = report(capsys)
    assert (shown["target"], shown["remembered_in"]) == (API, "requests.jsonl.submitted")
    assert Path("requests.jsonl.submitted").is_file()


@pytest.mark.parametrize("noted", ['"line-1"', '["https://api.exa', "[1, 2, 3]", "1", '"ab"'])
def test_a_ledger_line_that_cannot_be_read_stops_the_submission(
    noted: str, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    LEDGER.write_text(json.dumps({"run": RUN}) + "\n" + noted + "\n")

    assert submit_lines(line()) == 2

    assert "requests.jsonl.submitted, line 2, does not name" in capsys.readouterr().err
    assert delivery.envelopes == []


def test_without_a_target_the_queues_of_the_environment_are_used(
    delivery: MemoryDelivery, away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.setenv("BATCH_QUEUE_URL", "http://127.0.0.1:1/batch")

    submit_lines(line(), to=("--json",))

    assert report(capsys)["target"] == "http://127.0.0.1:1/queue http://127.0.0.1:1/batch"


class TestRuns:
    def test_an_equal_line_of_another_run_is_another_request(
        self, delivery: MemoryDelivery
    ) -> None:
        submit_lines(line())
        LEDGER.rename("monday.submitted")
        submit_lines(line())

        assert len(set(ids_in(delivery))) == 2

    def test_a_run_that_broke_off_makes_the_same_request_ids_again(
        self, delivery: MemoryDelivery
    ) -> None:
        submit_lines(line(), line("worker-2"))
        LEDGER.write_text(
            LEDGER.read_text().splitlines()[0] + "\n"
        )  # the run died before it wrote its lines
        submit_lines(line(), line("worker-2"))

        assert len(delivery.envelopes) == 4
        assert len(set(ids_in(delivery))) == 2

    def test_equal_lines_of_one_run_are_separate_requests(self, delivery: MemoryDelivery) -> None:
        submit_lines(line(), line(), line())

        assert len(set(ids_in(delivery))) == 3

    def test_an_inserted_line_changes_the_request_id_of_no_other_line(
        self, delivery: MemoryDelivery
    ) -> None:
        submit_lines(line(), line("worker-2"))
        submit_lines(line(), line("worker-3"), line("worker-2"))

        assert [envelope.worker_id for envelope in delivery.envelopes] == [
            "worker-1",
            "worker-2",
            "worker-3",
        ]

    def test_a_line_with_its_own_key_is_the_same_request_in_every_run(
        self, delivery: MemoryDelivery
    ) -> None:
        own = json.dumps({**json.loads(line()), "idempotency_key": "renewal-1001"})
        submit_lines(own)
        LEDGER.unlink()
        submit_lines(own)

        assert set(ids_in(delivery)) == {request_id_for_key("", "renewal-1001")}

    def test_a_run_with_a_lost_ledger_goes_on_with_its_id(
        self, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        submit_lines(line(), to=("--api", API, "--json"))
        run = report(capsys)["run"]
        LEDGER.unlink()
        submit_lines(line(), to=("--api", API, "--run", run))

        assert len(delivery.envelopes) == 2
        assert len(set(ids_in(delivery))) == 1
        assert json.loads(LEDGER.read_text().splitlines()[0]) == {"run": run}

    def test_the_id_of_another_run_is_refused_if_the_ledger_names_a_run(
        self, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        submit_lines(line())

        assert submit_lines(line("worker-2"), to=("--api", API, "--run", RUN)) == 2

        assert f"not of {RUN}" in capsys.readouterr().err
        assert len(delivery.envelopes) == 1

    @pytest.mark.parametrize("text", ["", "run_1", "monday", RUN + "0", RUN.upper()])
    def test_an_invalid_run_id_is_refused(self, text: str, delivery: MemoryDelivery) -> None:
        with pytest.raises(SystemExit):
            submit_lines(line(), to=("--api", API, "--run", text))

        assert delivery.envelopes == []

    def test_the_run_is_in_the_ledger_before_the_first_line_is_submitted(
        self, delivery: MemoryDelivery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found: list[str] = []
        prepare = delivery.prepare

        def look_first(request: OperationRequest) -> PreparedRequest:
            found.append(LEDGER.read_text())
            return prepare(request)

        monkeypatch.setattr(delivery, "prepare", look_first)
        submit_lines(line())

        assert json.loads(found[0].splitlines()[0])["run"].startswith("run_")

    @pytest.mark.parametrize(
        "first", ["", "{}", '["https://api", "line-1"]', '{"run": "monday"}', "{", "\x00"]
    )
    def test_a_ledger_without_a_run_stops_the_submission(
        self, first: str, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        LEDGER.write_text(first + "\n")

        assert submit_lines(line()) == 2

        assert "line 1, does not name a run" in capsys.readouterr().err
        assert delivery.envelopes == []

    def test_a_file_cannot_be_submitted_twice_at_once(
        self, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with FileLedger(LEDGER, API):
            assert submit_lines(line()) == 2

        assert "is in use" in capsys.readouterr().err
        assert delivery.envelopes == []

    def test_the_report_on_a_wholly_submitted_file_says_how_to_begin_a_new_run(
        self, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        submit_lines(line())
        submit_lines(line())

        assert "To submit this file as a new run" in (capsys.readouterr().out)


def test_a_byte_order_mark_is_no_part_of_the_first_line(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    code = submit_lines("\ufeff" + line(), line(), to=("--api", API, "--json"))

    assert (code, report(capsys)["submitted"]) == (0, 2)


def test_a_line_with_a_byte_order_mark_equals_the_line_without_it(delivery: MemoryDelivery) -> None:
    submit_lines(line())
    submit_lines("\ufeff" + line())

    assert len(delivery.envelopes) == 1


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_the_error_names_the_encoding_of_a_file_that_is_not_utf_8(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    Path("requests.jsonl").write_text(line() + "\n", encoding)

    assert main(["submit", "requests.jsonl", "--api", API]) == 2

    said = capsys.readouterr().err
    assert f"requests.jsonl is {encoding[:6].upper()}" in said
    assert "Save it as UTF-8." in said
    assert not delivery.envelopes


def test_the_error_names_the_encoding_of_a_file_with_an_empty_first_line(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("requests.jsonl").write_text("\n" + line() + "\n", "utf-16-le")

    assert main(["submit", "requests.jsonl", "--api", API]) == 2
    assert "Save it as UTF-8." in capsys.readouterr().err


def test_a_line_with_a_zero_byte_is_refused_beside_the_others(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    code = submit_lines('{"a": "\0"}', line(), to=("--api", API, "--json"))

    shown = report(capsys)
    assert (code, shown["submitted"]) == (1, 1)
    assert shown["refused"][0]["line"] == 1


def test_a_ledger_with_a_byte_order_mark_is_read(
    delivery: MemoryDelivery,
) -> None:
    submit_lines(line())
    LEDGER.write_text("\ufeff" + LEDGER.read_text("utf-8"), "utf-8")

    assert submit_lines(line(), line("worker-2")) == 0
    assert len(delivery.envelopes) == 2


def test_a_line_nested_too_deeply_is_refused_beside_the_others(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    endless = line().replace("5", "[" * 5_000 + "]" * 5_000)
    code = submit_lines(endless, line(), to=("--api", API, "--json"))

    shown = report(capsys)
    assert (code, shown["submitted"]) == (1, 1)
    assert shown["refused"][0]["param"] == "percent_off"
