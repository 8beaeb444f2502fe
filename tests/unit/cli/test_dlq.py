"""`paydispatch dlq` shows parked messages without their keys, and says how far it came."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.examples import KEY, NOW_S, envelope

from paydispatch.cli import dlq_report
from paydispatch.cli.commands import dlq
from paydispatch.cli.main import main
from paydispatch.domain.claims import SlotState
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.operators.redrive import (
    NotExamined,
    NotProven,
    Parked,
    plan_redrive,
    read_parked,
)
from paydispatch.services.redrive import Walk
from paydispatch.services.redrive_message import Action, Examined


def make_examined(body: str, status: str | None = None, action: Action = Action.LEFT) -> Examined:
    parked = Parked("m-1", "r-1", body, sent_at=NOW_S)
    read = read_parked(parked)
    state = SlotState(owned=True, status=status) if status else None
    plan = plan_redrive(read, parked, None, state, NOW_S, deadline_s=60)
    return Examined(parked, read, status, plan, action)


def test_a_sealed_key_is_not_shown() -> None:
    shown = dlq_report._in_full(make_examined(envelope(sealed_secret="1.sealed").as_message()))

    assert shown["envelope"]["sealed_secret"] == "(sealed)"
    assert "1.sealed" not in json.dumps(shown)


def test_the_name_of_a_secret_is_shown() -> None:
    shown = dlq_report._in_full(make_examined(envelope().as_message()))

    assert shown["envelope"]["secret_ref"] == "shop"
    assert "sealed_secret" not in shown["envelope"]


def test_a_key_in_an_unreadable_message_is_hidden() -> None:
    shown = dlq_report._in_full(make_examined(f'{{"stripe_secret": "{KEY}"'))

    assert KEY not in json.dumps(shown)
    assert "stripe_secret" in shown["envelope"]


@pytest.mark.parametrize(
    ("status", "planned"),
    [
        (None, "goes back to the interactive queue"),
        ("succeeded", "stays: settled (succeeded), so its flow has run or will run"),
    ],
)
def test_the_plan_of_a_redrive_is_shown(status: str | None, planned: str) -> None:
    assert (
        dlq_report._in_short(make_examined(envelope().as_message(), status))["redrive"] == planned
    )


@pytest.mark.parametrize(
    ("plan", "planned"),
    [
        (NotProven("No record says so."), "stays: No record says so."),
        (NotExamined("Redis: gone"), "stays: its examination failed (Redis: gone)"),
    ],
)
def test_the_reason_for_which_a_message_stays_is_shown(plan: Any, planned: str) -> None:
    one = replace(make_examined(envelope().as_message()), plan=plan)
    assert dlq_report._in_short(one)["redrive"] == planned


@pytest.mark.parametrize("command", [["redrive"], ["redrive", "--dry-run"], ["list"]])
def test_a_failed_message_makes_the_exit_code_1(
    command: list[str], away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def one_fails(_: object, __: int, walk: Walk, *___: object) -> None:
        walk.examined.append(make_examined(envelope().as_message(), action=Action.FAILED))

    away.setattr(dlq, "_redrive", one_fails)
    away.setattr(dlq, "_examine", one_fails)

    assert main(["dlq", *command]) == 1
    assert "failed" in capsys.readouterr().out


def test_a_table_does_not_cut_an_id(capsys: pytest.CaptureFixture[str]) -> None:
    long = "pdr_" + "x" * 80
    walk = Walk([make_examined(envelope(request_id=long).as_message())])

    dlq_report.show_walk(walk, 1_000, as_json=False)

    assert long in capsys.readouterr().out


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("walk", "said"),
    [
        (
            Walk([make_examined("{}")], may_be_more=True),
            "Stopped after 1. There may be more (--limit).\n",
        ),
        (Walk([], may_be_more=True), "Stopped after 0. There may be more.\n"),
        (Walk([make_examined("{}")]), ""),
    ],
)
def test_an_incomplete_walk_is_reported(
    walk: Walk, said: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    dlq_report.show_walk(walk, 1, as_json=as_json)

    shown = capsys.readouterr()
    assert shown.err == said
    if as_json:
        assert json.loads(shown.out)["may_be_more"] is walk.may_be_more


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_redrive_that_breaks_off_shows_its_messages_before_the_error(
    options: list[str], away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def break_off(_: object, __: int, walk: Walk, *___: object) -> None:
        walk.examined.append(make_examined(envelope().as_message()))
        walk.may_be_more = True
        raise Unavailable("Redis: gone")

    away.setattr(dlq, "_redrive", break_off)

    assert main(["dlq", "redrive", *options]) == 2

    shown = capsys.readouterr()
    assert "pdr_1" in shown.out
    assert shown.err == "Stopped after 1. There may be more.\npaydispatch: Redis: gone\n"


def test_a_redrive_that_could_not_begin_shows_the_error_alone(
    away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.setenv("DEAD_LETTER_QUEUE_URL", "")

    assert main(["dlq", "redrive"]) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
