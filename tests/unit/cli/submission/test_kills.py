"""A file that is submitted again after a kill at any point makes each of its requests once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.submission.submissions import (
    API,
    FILE,
    LEDGER,
    ids_in,
    line,
    report,
    submit_lines,
)

from paydispatch.cli.submission.ledger import FileLedger
from paydispatch.domain.errors import IdempotencyConflict, NotAuthenticated
from paydispatch.domain.limits import FORGOTTEN_S
from paydispatch.services.submission import hand_over
from paydispatch.services.submission.ports import Begun

if TYPE_CHECKING:
    from paydispatch.domain.requests import OperationRequest
    from paydispatch.sdk.delivery import PreparedRequest
    from paydispatch.testing.memory_delivery import MemoryDelivery

LINES = (
    line("worker-1"),
    line("worker-1"),
    line("worker-2", idempotency_key="renewal-1"),
    line("worker-3"),
)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file of four lines have several blocks."""
    monkeypatch.setattr(hand_over, "BLOCK_LINES", 2)


def test_a_kill_in_any_line_of_the_ledger_makes_no_other_request(delivery: MemoryDelivery) -> None:
    submit_lines(*LINES)
    asked, whole = set(ids_in(delivery)), LEDGER.read_bytes()
    ends = [end for end, byte in enumerate(whole, start=1) if byte == ord("\n")]
    for length in (end + beyond for end in ends for beyond in (-1, 0, 1, 2, 20, 70)):
        LEDGER.write_bytes(whole[:length])
        assert submit_lines(*LINES) == 0
        assert set(ids_in(delivery)) == asked, whole[:length]


def test_a_run_whose_first_line_is_torn_has_sent_nothing_and_begins_anew(
    delivery: MemoryDelivery,
) -> None:
    for torn in ("", "{", '{"run": "run_01'):
        LEDGER.write_text(torn)
        assert submit_lines(*LINES) == 0
        assert json.loads(LEDGER.read_text().splitlines()[0])["run"]


@pytest.mark.parametrize("text", ["notes of mine", "[", '{"other": 1'])
def test_another_file_in_the_place_of_the_ledger_is_left_as_it_is(
    text: str, delivery: MemoryDelivery
) -> None:
    LEDGER.write_text(text)
    assert submit_lines(line()) == 2
    assert LEDGER.read_text() == text


def test_a_ledger_that_an_editor_saved_without_its_last_line_end_is_read(
    delivery: MemoryDelivery,
) -> None:
    submit_lines(*LINES)
    sent = len(delivery.envelopes)
    LEDGER.write_bytes(LEDGER.read_bytes().rstrip(b"\n"))
    assert submit_lines(*LINES, line("worker-9")) == 0
    assert submit_lines(*LINES, line("worker-9")) == 0
    assert len(delivery.envelopes) == sent + 1


def test_each_line_is_in_the_ledger_before_it_is_handed_over(
    delivery: MemoryDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []
    prepare = delivery.prepare

    def look_first(request: OperationRequest) -> PreparedRequest:
        found.append(str(request.idempotency_key) in LEDGER.read_text())
        return prepare(request)

    monkeypatch.setattr(delivery, "prepare", look_first)
    submit_lines(*LINES)

    assert found == [True] * len(LINES)


def test_a_line_with_null_for_its_key_is_the_same_request_after_a_kill(
    delivery: MemoryDelivery,
) -> None:
    lines = (line("worker-1", idempotency_key=None), line("worker-2", idempotency_key=None))
    submit_lines(*lines)
    LEDGER.write_text(LEDGER.read_text().splitlines()[0] + "\n")
    submit_lines(*lines)

    assert len(delivery.envelopes) == 4
    assert len(set(ids_in(delivery))) == 2


class TestChangedLines:
    def test_a_changed_line_is_refused_wherever_the_kill_was(
        self, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        submit_lines(*LINES)
        sent, entries = len(delivery.envelopes), LEDGER.read_text().splitlines(keepends=True)
        for kept in range(2, len(entries) + 1):  # the run, the first two lines that began
            LEDGER.write_text("".join(entries[:kept]))
            assert submit_lines(LINES[0], line("worker-7"), *LINES[2:]) == 2
            assert "Line 2 is not as run_" in capsys.readouterr().err
        assert len(delivery.envelopes) == sent

    def test_a_removed_line_is_refused(
        self, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        submit_lines(*LINES)
        assert submit_lines(*LINES[1:]) == 2
        said = capsys.readouterr().err
        assert f"submitted it to {API}" in said
        assert "Nothing was sent now." in said

    def test_a_line_with_other_content_under_its_own_key_is_refused(
        self, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        submit_lines(line(idempotency_key="renewal-1"))
        changed = line(idempotency_key="renewal-1", params={"percent_off": 6, "duration": "once"})
        assert submit_lines(line("worker-2"), changed) == 2
        assert "Line 2 is not as run_" in capsys.readouterr().err
        assert len(delivery.envelopes) == 1

    def test_other_defaults_are_other_content(
        self, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bare = json.dumps({**json.loads(line()), "worker_id": None})
        submit_lines(bare, to=("--api", API, "--worker-id", "worker-1"))
        assert submit_lines(bare, to=("--api", API, "--worker-id", "worker-2")) == 2
        assert "use the options of that time" in capsys.readouterr().err

    def test_a_line_with_another_lane_deadline_or_key_is_the_same_content(
        self, delivery: MemoryDelivery
    ) -> None:
        submit_lines(line(idempotency_key="renewal-1"))
        again = line(
            idempotency_key="renewal-1", lane="interactive", deadline_s=60, secret_ref="new"
        )
        assert submit_lines(again) == 0
        assert len(delivery.envelopes) == 1

    def test_a_refused_line_may_be_changed(self, delivery: MemoryDelivery) -> None:
        delivery.refusals["refused"] = IdempotencyConflict("order-1")
        assert submit_lines(line(), line("refused"), "{") == 1
        assert submit_lines(line(), line("worker-2"), line("worker-3")) == 0

    def test_a_refusal_of_a_line_that_an_earlier_call_may_have_sent_proves_nothing(
        self, delivery: MemoryDelivery
    ) -> None:
        submit_lines(line())
        LEDGER.write_text("".join(LEDGER.read_text().splitlines(keepends=True)[:2]))
        delivery.refusals["worker-1"] = NotAuthenticated()
        assert submit_lines(line()) == 1
        assert submit_lines(line("worker-2")) == 2

    def test_two_lines_with_one_key_and_other_content_are_refused(
        self, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
    ) -> None:
        named = [line(worker, idempotency_key="order-1") for worker in ("w-1", "w-2", "w-1")]
        assert submit_lines(*named, to=("--api", API, "--json")) == 1
        shown = report(capsys)
        assert (shown["submitted"], shown["submitted_before"]) == (1, 1)
        assert shown["refused"][0]["param"] == "idempotency_key"
        assert "Line 1 has this idempotency_key" in shown["refused"][0]["message"]


def test_a_line_that_began_too_long_ago_is_not_sent_again(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    submit_lines(line())
    run, begun = LEDGER.read_text().splitlines()[:2]
    old = {**json.loads(begun), "at": json.loads(begun)["at"] - int(FORGOTTEN_S)}
    LEDGER.write_text(f"{run}\n{json.dumps(old)}\n")
    sent = len(delivery.envelopes)
    assert submit_lines(line()) == 1
    assert len(delivery.envelopes) == sent
    assert "more than 24 days ago" in capsys.readouterr().out


def test_a_full_disk_stops_the_submission_before_the_hand_over(
    delivery: MemoryDelivery, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: FileLedger) -> None:
        raise OSError(28, "No space left on device", str(LEDGER))

    monkeypatch.setattr(FileLedger, "make_durable", refuse)
    assert submit_lines(*LINES) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert delivery.envelopes == []


def test_a_peek_leaves_the_ledger_as_it_is(delivery: MemoryDelivery) -> None:
    FILE.touch()
    assert FileLedger(LEDGER, API).peek().run == ""
    assert not LEDGER.exists()
    with FileLedger(LEDGER, API) as ledger:
        ledger.begin(Begun(1, "line-1", "content"), 1.0)
        ledger.make_durable()
    LEDGER.write_text(LEDGER.read_text() + '["torn')
    before = LEDGER.read_text()
    assert list(FileLedger(LEDGER, API).peek().entries) == ["line-1"]
    assert LEDGER.read_text() == before
