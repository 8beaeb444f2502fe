"""`paydispatch dlq` shows parked messages without their keys, and says how far it came."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY, NOW_S, envelope

from paydispatch.cli import dlq_report
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
from paydispatch.services.operate.parked import in_full, in_short
from paydispatch.services.redrive_message import Action, Examined

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from paydispatch.services.redrive import Walk


def make_examined(body: str, status: str | None = None, action: Action = Action.LEFT) -> Examined:
    parked = Parked("m-1", "r-1", body, sent_at=NOW_S)
    read = read_parked(parked)
    state = SlotState(owned=True, status=status) if status else None
    plan = plan_redrive(read, parked, None, state, NOW_S, deadline_s=60)
    return Examined(parked, read, status, plan, action)


def shown(*examined: Examined, may_be_more: bool = False) -> dict[str, Any]:
    """Return the document of a walk."""
    return {"messages": [in_short(one, NOW_S) for one in examined], "may_be_more": may_be_more}


def walking(work: Callable[[Walk], Awaitable[None]]) -> Callable[..., Any]:
    """Return a `redriver` of ports. Each walk of its redriver calls `work`."""

    class Redriver:
        async def redrive(self, _: Any, *, at_most: int, walk: Walk) -> None:
            del at_most
            await work(walk)

        examine = redrive

    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Redriver]:
        yield Redriver()

    return opened


def test_a_sealed_key_is_not_shown() -> None:
    shown = in_full(make_examined(envelope(sealed_secret="1.sealed").as_message()), NOW_S)

    assert shown["envelope"]["sealed_secret"] == "(sealed)"
    assert "1.sealed" not in json.dumps(shown)


def test_the_name_of_a_secret_is_shown() -> None:
    shown = in_full(make_examined(envelope().as_message()), NOW_S)

    assert shown["envelope"]["secret_ref"] == "shop"
    assert "sealed_secret" not in shown["envelope"]


def test_a_key_in_an_unreadable_message_is_hidden() -> None:
    shown = in_full(make_examined(f'{{"stripe_secret": "{KEY}"'), NOW_S)

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
    one = make_examined(envelope().as_message(), status)
    assert in_short(one, NOW_S)["redrive"] == planned


@pytest.mark.parametrize(
    ("plan", "planned"),
    [
        (NotProven("No record says so."), "stays: No record says so."),
        (NotExamined("Redis: gone"), "stays: its examination failed (Redis: gone)"),
    ],
)
def test_the_reason_for_which_a_message_stays_is_shown(plan: Any, planned: str) -> None:
    one = replace(make_examined(envelope().as_message()), plan=plan)
    assert in_short(one, NOW_S)["redrive"] == planned


@pytest.mark.parametrize("command", [["redrive"], ["redrive", "--dry-run"], ["list"]])
def test_a_failed_message_makes_the_exit_code_1(
    command: list[str], away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def one_fails(walk: Walk) -> None:
        walk.examined.append(make_examined(envelope().as_message(), action=Action.FAILED))

    away.setattr("paydispatch.compose.operators.ports.ConnectedPorts.redriver", walking(one_fails))

    assert main(["dlq", *command]) == 1
    assert "failed" in capsys.readouterr().out


def test_a_table_does_not_cut_an_id(capsys: pytest.CaptureFixture[str]) -> None:
    long = "pdr_" + "x" * 80

    dlq_report.show_walk(
        shown(make_examined(envelope(request_id=long).as_message())), 1_000, as_json=False
    )

    assert long in capsys.readouterr().out


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("walk", "said"),
    [
        (
            shown(make_examined("{}"), may_be_more=True),
            "Stopped after 1. There may be more (--limit).\n",
        ),
        (shown(may_be_more=True), "Stopped after 0. There may be more.\n"),
        (shown(make_examined("{}")), ""),
    ],
)
def test_an_incomplete_walk_is_reported(
    walk: dict[str, Any], said: str, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    dlq_report.show_walk(walk, 1, as_json=as_json)

    printed = capsys.readouterr()
    assert printed.err == said
    if as_json:
        assert json.loads(printed.out)["may_be_more"] is walk["may_be_more"]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_redrive_that_breaks_off_shows_its_messages_before_the_error(
    options: list[str], away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def break_off(walk: Walk) -> None:
        walk.examined.append(make_examined(envelope().as_message()))
        walk.may_be_more = True
        raise Unavailable("Redis: gone")

    away.setattr("paydispatch.compose.operators.ports.ConnectedPorts.redriver", walking(break_off))

    assert main(["dlq", "redrive", *options]) == 2

    shown = capsys.readouterr()
    assert "pdr_1" in shown.out
    assert shown.err == "Stopped after 1. There may be more.\npaydispatch: Redis: gone\n"


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Python's own handler of Ctrl-C, which a process in the background of a shell does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_shows_the_messages_that_were_redriven_before_it(
    away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupt(walk: Walk) -> None:
        walk.examined.append(make_examined(envelope().as_message()))
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(60)

    away.setattr("paydispatch.compose.operators.ports.ConnectedPorts.redriver", walking(interrupt))

    assert main(["dlq", "redrive"]) == 130

    assert "pdr_1" in capsys.readouterr().out


def test_a_redrive_that_could_not_begin_shows_the_error_alone(
    away: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away.setenv("DEAD_LETTER_QUEUE_URL", "")

    assert main(["dlq", "redrive"]) == 2

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
