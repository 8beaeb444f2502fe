"""`paydispatch submit`: its report is shown whatever happens, and each target has a memory of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.adapters.memory import MemoryDelivery
from paydispatch.cli import submit
from paydispatch.cli.main import main
from paydispatch.dispatcher import Dispatcher
from paydispatch.domain.errors import IdempotencyConflict

if TYPE_CHECKING:
    from paydispatch.delivery import Parcel
    from paydispatch.domain.requests import CreateRequest

API = "https://api.example.com"


class Delivery(MemoryDelivery):
    """Ctrl-C is pressed at the request of a worker called so."""

    def prepare(self, request: CreateRequest) -> Parcel:
        if request.worker_id == "ctrl-c":
            raise KeyboardInterrupt
        return super().prepare(request)


@pytest.fixture
def delivery(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryDelivery:
    """What every submission goes through."""
    delivery = Delivery()
    monkeypatch.setattr(submit, "_dispatcher", lambda _: Dispatcher(delivery))
    monkeypatch.chdir(tmp_path)
    return delivery


def line(worker_id: str = "worker-1") -> str:
    item = {
        "object": "coupon",
        "worker_id": worker_id,
        "context_id": "c",
        "secret_ref": "shop",
        "params": {"percent_off": 5, "duration": "once"},
    }
    return json.dumps(item)


def submitted(*lines: str, to: tuple[str, ...] = ("--api", API)) -> int:
    Path("requests.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return main(["submit", "requests.jsonl", *to])


def report(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return shown


def test_a_line_that_is_not_delivered_is_reported_beside_the_others(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery.refusals["refused"] = IdempotencyConflict("order-1")

    code = submitted(line(), line("refused"), line(), "{", to=("--api", API, "--json"))

    shown = report(capsys)
    assert (code, shown["submitted"]) == (1, 2)
    refused = {refusal["line"]: refusal["message"] for refusal in shown["refused"]}
    assert "first used with another body" in refused[2]
    assert refused[4] == "The line is not valid JSON."


def test_every_refused_line_is_named_with_why(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    delivery.refusals["refused"] = IdempotencyConflict("order-1")

    assert submitted(line("refused"), "{", line()) == 1

    shown = capsys.readouterr().out
    assert "1 submitted, 2 refused." in shown
    assert "line 1: The Idempotency-Key" in shown
    assert "line 2: The line is not valid JSON." in shown


def test_a_submission_that_is_interrupted_says_how_far_it_came(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    assert submitted("{", line("ctrl-c")) == 130

    assert "line 1: The line is not valid JSON." in capsys.readouterr().out


@pytest.mark.parametrize(
    "other", [("--api", "https://other.example.com"), ("--queue-url", "https://sqs/queue")]
)
def test_each_target_gets_every_line(
    other: tuple[str, ...], delivery: MemoryDelivery, away: pytest.MonkeyPatch
) -> None:
    submitted(line(), line())
    submitted(line(), line(), to=other)

    assert len(delivery.envelopes) == 4


def test_no_target_gets_a_line_twice(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    submitted(line(), line())
    submitted(line(), line(), line(), to=("--api", API + "/"))

    assert len(delivery.envelopes) == 3
    assert "1 submitted, 2 had been before, 0 refused." in capsys.readouterr().out


def test_the_file_that_remembers_is_named(
    delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    submitted(line())
    assert f"requests.jsonl.submitted remembers what {API} has." in capsys.readouterr().out

    submitted(line(), to=("--api", API, "--json"))
    shown = report(capsys)
    assert (shown["target"], shown["remembered_in"]) == (API, "requests.jsonl.submitted")
    assert Path("requests.jsonl.submitted").is_file()


@pytest.mark.parametrize("noted", ['"line-1"', '["https://api.exa', "[1, 2, 3]", "1", '"ab"'])
def test_a_memory_that_cannot_be_read_is_not_guessed_at(
    noted: str, delivery: MemoryDelivery, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("requests.jsonl.submitted").write_text(noted + "\n")

    assert submitted(line()) == 2

    assert "requests.jsonl.submitted, line 1, does not name" in capsys.readouterr().err
    assert delivery.envelopes == []


def test_without_a_target_the_environment_s_queues_are_it(
    delivery: MemoryDelivery, away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.setenv("BATCH_QUEUE_URL", "http://127.0.0.1:1/batch")

    submitted(line(), to=("--json",))

    assert report(capsys)["target"] == "http://127.0.0.1:1/queue http://127.0.0.1:1/batch"
