"""`paydispatch pause` and `resume` stop and start the calls of an account, of a lane, or all calls."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.limits_in_memory import CREATE, LIVE, TEST, Limits

from paydispatch.cli.main import main
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.tokens import Postponed, TokenAsk, Why

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    made = Limits()
    monkeypatch.setattr("paydispatch.compose.limit_board.limit_board", made.opened)
    asyncio.run(made.call(LIVE))
    return made


@pytest.fixture
def command(limits: Limits, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    del limits

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def is_paused(limits: Limits, account: str, lane: RateLane) -> bool:
    ask = TokenAsk(account=account, operation=CREATE, lane=lane, longest_wait_s=1.0)
    answer = asyncio.run(limits.limiter.take(ask))
    return isinstance(answer, Postponed) and answer.why is Why.PAUSED


@pytest.mark.parametrize(
    ("words", "stopped"),
    [
        (
            ["--all"],
            {(LIVE, "interactive"), (LIVE, "batch"), (TEST, "interactive"), (TEST, "batch")},
        ),
        (["--lane", "batch"], {(LIVE, "batch"), (TEST, "batch")}),
        (["--account", "acct_1", "--mode", "live"], {(LIVE, "interactive"), (LIVE, "batch")}),
        (["--account", "acct_1", "--mode", "test", "--lane", "batch"], {(TEST, "batch")}),
        (["--account", "test acct_1"], {(TEST, "interactive"), (TEST, "batch")}),
    ],
)
def test_a_pause_stops_what_it_names_and_a_resume_lets_it_go(
    command: Any, limits: Limits, words: list[str], stopped: set[tuple[str, str]]
) -> None:
    places = [(account, lane) for account in (LIVE, TEST) for lane in ("interactive", "batch")]

    assert command("pause", *words)[0] == 0
    assert {one for one in places if is_paused(limits, one[0], RateLane(one[1]))} == stopped

    assert command("resume", *words)[0] == 0
    assert not [one for one in places if is_paused(limits, one[0], RateLane(one[1]))]


def test_a_pause_says_what_is_paused_and_by_whom(command: Any) -> None:
    assert command("pause", "--lane", "batch", "--by", "alice") == (
        0,
        "Paused: all accounts, lane batch, by alice.\n",
        "",
    )


def test_a_pause_is_by_the_user_of_the_machine(
    command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    assert "by bob" in command("pause", "--all")[1]


def test_a_pause_in_a_container_without_users_is_by_an_unknown_one(
    command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", fail)
    assert "by unknown" in command("pause", "--all")[1]


def test_a_second_pause_keeps_the_first(command: Any, limits: Limits) -> None:
    command("pause", "--all", "--by", "alice")
    limits.clock.advance(60)
    _, said, _ = command("pause", "--all", "--by", "bob", "--json")
    (pause,) = json.loads(said)["pauses"]
    assert (pause["lane"], pause["by"]) == (None, "alice")


def test_a_resume_names_the_pauses_that_are_left(command: Any) -> None:
    command("pause", "--account", "acct_1", "--by", "alice")
    command("pause", "--all", "--by", "bob")

    code, said, _ = command("resume", "--all")

    assert code == 0
    assert said.splitlines() == [
        "Resumed: all accounts, all lanes.",
        f"Still paused: {LIVE}, all lanes paused by alice. paydispatch resume --account '{LIVE}'",
    ]


def test_a_resume_without_a_pause_ends_with_1(command: Any) -> None:
    assert command("resume", "--lane", "batch") == (
        1,
        "",
        "There was no pause of all accounts, batch.\n",
    )


def test_a_resume_prints_json(command: Any) -> None:
    command("pause", "--lane", "batch", "--by", "alice")
    code, said, _ = command("resume", "--lane", "batch", "--json")
    assert (code, json.loads(said)) == (0, {"account": None, "resumed": True, "still_paused": []})
    code, said, _ = command("resume", "--lane", "batch", "--json")
    assert (code, json.loads(said)["resumed"]) == (1, False)


@pytest.mark.parametrize("name", ["pause", "resume"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Name what is meant: --account ACCT, --lane LANE, or --all."),
        (["--all", "--lane", "batch"], "--all stands alone"),
        (["--all", "--account", "acct_1"], "--all stands alone"),
        (["--lane", "batch", "--mode", "live"], "--mode needs --account"),
        (["--account", "acct_7"], "The account acct_7 has made no call yet."),
    ],
)
def test_an_unclear_command_changes_nothing(
    command: Any, limits: Limits, name: str, words: list[str], said: str
) -> None:
    code, out, err = command(name, *words)

    assert (code, out) == (2, "")
    assert said in err
    assert limits.limiter.global_pauses == {}


def test_an_unknown_lane_is_refused(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command("pause", "--lane", "fast")
    assert ended.value.code == 2
    assert "fast" in capsys.readouterr().err
