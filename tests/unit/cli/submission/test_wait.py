"""`submit --wait` writes the outcomes into a file, sums them up, and goes on where an earlier call ended."""

from __future__ import annotations

import json
import stat
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.submission.submissions import API, LEDGER, ids_in, line, report, submit_lines

from paydispatch.cli.submission import submission
from paydispatch.cli.submission.results import FileResults
from paydispatch.services.submission import follow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.testing.memory_delivery import MemoryDelivery

RESULTS = Path("requests.jsonl.results.jsonl")
WAIT = ("--api", API, "--wait", "--wait-at-most", "5s")
DECLINED = {"kind": "api", "code": "card_declined", "message": "Your card was declined."}


class Statuses:
    """The status of the requests, by their worker."""

    def __init__(self, delivery: MemoryDelivery) -> None:
        self._delivery = delivery
        self.asked: list[str] = []
        self.of_worker: dict[str, dict[str, Any]] = {}
        self.interrupts = False

    def find(self, request_ids: Sequence[str]) -> Sequence[Mapping[str, Any] | None]:
        if self.interrupts:
            raise KeyboardInterrupt
        self.asked += request_ids
        workers = {sent.request_id: sent.worker_id for sent in self._delivery.envelopes}
        return [
            {"request_id": asked, **self.of_worker.get(workers[asked], {"status": "succeeded"})}
            for asked in request_ids
        ]


@pytest.fixture
def statuses(delivery: MemoryDelivery, monkeypatch: pytest.MonkeyPatch) -> Statuses:
    statuses = Statuses(delivery)
    monkeypatch.setattr(submission, "_outcomes", lambda _: nullcontext(statuses))
    monkeypatch.setattr(follow, "SHORTEST_PAUSE_S", 0.001)
    return statuses


def results() -> list[dict[str, Any]]:
    return [json.loads(text) for text in RESULTS.read_text().splitlines()]


def test_each_outcome_is_in_the_results_and_the_summary(
    statuses: Statuses, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses.of_worker["poor"] = {"status": "failed", "parsed_error": DECLINED}
    assert submit_lines(line(), line("poor"), line(), to=(*WAIT, "--json")) == 1
    shown = report(capsys)["outcomes"]
    assert (shown["done"], shown["declined"]) == (2, 1)
    assert (shown["by_code"], shown["results_in"]) == ({"card_declined": 1}, str(RESULTS))
    assert [record["line"] for record in results()] == [1, 2, 3]
    assert {record["request_id"] for record in results()} == set(ids_in(delivery))


def test_the_summary_is_printed(statuses: Statuses, capsys: pytest.CaptureFixture[str]) -> None:
    statuses.of_worker["poor"] = {"status": "failed", "parsed_error": DECLINED}
    submit_lines(line(), line("poor"), to=WAIT)
    shown = capsys.readouterr().out
    assert "1 done, 1 declined, 0 failed otherwise, 0 unknown, 0 under way." in shown
    assert "  1 times card_declined" in shown


def test_the_exit_code_is_0_only_if_every_request_is_done(statuses: Statuses) -> None:
    assert submit_lines(line(), to=WAIT) == 0
    statuses.of_worker["w"] = {"status": "unknown", "parsed_error": {"kind": "http"}}
    assert submit_lines(line(), line("w"), to=WAIT) == 1


def test_a_second_call_asks_only_for_the_rest(
    statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses.of_worker["w"] = {"status": "unknown", "parsed_error": {"kind": "http"}}
    submit_lines(line(), line("w"), to=WAIT)
    RESULTS.write_text(RESULTS.read_text() + '{"request_id": "pdr_to')  # torn by a kill
    asked = set(statuses.asked)
    statuses.asked.clear()
    del statuses.of_worker["w"]
    capsys.readouterr()

    assert submit_lines(line(), line("w"), to=(*WAIT, "--json")) == 0

    assert report(capsys)["outcomes"]["done"] == 2
    assert len(set(statuses.asked)) == 1 < len(asked)
    assert [record["status"] for record in results()] == ["succeeded", "succeeded"]


def test_an_interrupted_wait_prints_the_counts_so_far(
    statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses.interrupts = True
    assert submit_lines(line(), to=WAIT) == 130
    assert "1 submitted" in (shown := capsys.readouterr().out)
    assert "1 under way." in shown


def test_results_of_another_run_are_kept(
    statuses: Statuses, capsys: pytest.CaptureFixture[str]
) -> None:
    submit_lines(line(), to=WAIT)
    before = RESULTS.read_text()
    LEDGER.unlink()

    assert submit_lines(line(), to=WAIT) == 2

    assert "Name another file with --results." in capsys.readouterr().err
    assert RESULTS.read_text() == before
    assert submit_lines(line(), to=(*WAIT, "--results", "other.jsonl")) == 0


def test_another_file_in_the_place_of_the_results_is_kept(statuses: Statuses) -> None:
    for text in ("notes\n", "[]\n", '{"a": 1}\n'):
        RESULTS.write_text(text)
        assert submit_lines(line(), to=WAIT) == 2
        assert RESULTS.read_text() == text


def test_only_the_owner_may_read_the_results(statuses: Statuses) -> None:
    submit_lines(line(), to=WAIT)
    assert stat.S_IMODE(RESULTS.stat().st_mode) == 0o600
    submit_lines(line(), to=WAIT)
    assert stat.S_IMODE(RESULTS.stat().st_mode) == 0o600


def test_a_key_in_an_outcome_is_not_written(delivery: MemoryDelivery) -> None:
    key = "sk_test_" + "1234567890abcdef"
    with FileResults(RESULTS, "run_0123456789abcdef") as written:
        written.add({"request_id": "pdr_1", "status": "failed", "parsed_error": {"message": key}})
    assert key not in RESULTS.read_text()


def test_a_wait_needs_to_know_where_the_outcomes_are_before_anything_is_sent(
    delivery: MemoryDelivery, away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.delenv("REDIS_URL")
    assert submit_lines(line(), to=("--wait",)) == 2
    assert "REDIS_URL is not set" in capsys.readouterr().err
    assert delivery.envelopes == []
