"""`paydispatch limits` shows and changes the limits of accounts, and closes breakers."""

from __future__ import annotations

import asyncio
import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.cli.limits_in_memory import CREATE, KEY_HASH, LIVE, TEST, Limits
from tests.unit.examples import KEY

from paydispatch.cli.main import main
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.outage import FAILURES_IN_A_ROW

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    made = Limits()
    monkeypatch.setattr("paydispatch.compose.limit_board.limit_board", made.opened)
    return made


@pytest.fixture
def command(limits: Limits, capsys: pytest.CaptureFixture[str]) -> Callable[[str], Any]:
    del limits

    def run(line: str) -> tuple[int, str, str]:
        code = main(shlex.split(line))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def limit_of(view: dict[str, Any], operation: str | None) -> dict[str, Any]:
    (found,) = [one for one in view["limits"] if one["operation"] == operation]
    return dict(found)


def test_before_any_call_there_is_nothing_to_show(command: Any) -> None:
    assert command("limits show") == (0, "No account has made a call yet.\n", "")


def test_an_account_is_shown_with_its_limits_and_those_of_its_operations(
    command: Any, limits: Limits
) -> None:
    asyncio.run(limits.call())

    code, shown, _ = command("limits show")

    assert code == 0
    assert [line.split() for line in shown.splitlines()[1:]] == [
        ["live", "acct_1", "(all)", "100/s", "100/s"],
        ["live", "acct_1", CREATE, "25/s", "25/s"],
    ]


def test_show_says_what_holds_calls_back(command: Any, limits: Limits) -> None:
    async def trouble() -> None:
        await limits.call(feedback=Feedback.OPERATION_RATE)
        await limits.board.pause(None, None, by="alice")
        await limits.keys.open(KEY_HASH, None)

    asyncio.run(trouble())

    _, shown, _ = command("limits show")

    assert "17/s" in shown
    assert f"{CREATE}: 17 of 25 calls per second, after a 429" in shown
    assert "all lanes paused by alice" in shown
    assert "paydispatch resume --all" in shown
    assert f"key {KEY_HASH[:12]}" in shown


def test_show_prints_everything_as_json(command: Any, limits: Limits) -> None:
    async def trouble() -> None:
        await limits.call(LIVE)
        await limits.call(TEST)
        await limits.board.pause(None, None, by="alice")
        await limits.keys.open(KEY_HASH, CREATE)

    asyncio.run(trouble())

    shown = json.loads(command("limits show --json")[1])

    assert [view["account"] for view in shown["accounts"]] == [LIVE, TEST]
    assert shown["accounts"][0]["breaker_open"] is False
    assert shown["pauses"][0]["by"] == "alice"
    assert shown["key_breakers"][0]["key_sha256"] == KEY_HASH
    one = json.loads(command("limits show --account acct_1 --mode test --json")[1])
    assert [view["account"] for view in one["accounts"]] == [TEST]


def test_a_limit_of_an_account_is_set_and_reset(command: Any, limits: Limits) -> None:
    asyncio.run(limits.call())

    code, said, _ = command("limits set --account acct_1 500 --json")
    assert code == 0
    assert limit_of(json.loads(said), None)["configured"] == 500

    _, said, _ = command(f"limits set --account acct_1 --operation {CREATE} off --json")
    view = json.loads(said)
    assert limit_of(view, CREATE) == {**limit_of(view, CREATE), "configured": None, "rate": None}
    assert limit_of(view, None)["configured"] == 500

    code, shown, _ = command("limits reset --account acct_1")
    assert code == 0
    assert "100/s" in shown
    assert "25/s" in shown
    assert "(set)" not in shown


def test_a_set_limit_is_marked(command: Any) -> None:
    _, shown, _ = command("limits set --account acct_1 --mode live 500")
    assert "500/s (set)" in shown


def test_a_limit_can_be_set_before_the_account_has_made_a_call(
    command: Any, limits: Limits
) -> None:
    assert command("limits set --account acct_9 --mode test 50")[0] == 0
    assert asyncio.run(limits.board.show("test acct_9")).limits[0].configured == 50


def test_a_name_that_show_prints_needs_no_mode(command: Any, limits: Limits) -> None:
    assert command("limits set --account 'live acct_9' 50")[0] == 0
    assert asyncio.run(limits.board.show("live acct_9")).limits[0].configured == 50


@pytest.mark.parametrize(
    ("called", "line", "said"),
    [
        ([], "limits set --account acct_1 5", "The account acct_1 has made no call yet."),
        ([LIVE, TEST], "limits reset --account acct_1", "known in the modes live and test."),
        ([], "limits set --account 'live acct_1' --mode test 5", "is not in test mode"),
    ],
)
def test_an_account_that_is_not_clear_is_asked_for(
    command: Any, limits: Limits, called: list[str], line: str, said: str
) -> None:
    for account in called:
        asyncio.run(limits.call(account))

    code, out, err = command(line)

    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("limits set --account acct_1 0", "whole calls per second from 1"),
        ("limits set --account acct_1 2.5", "whole calls per second from 1"),
        ("limits set --account acct_1", "the following arguments are required: N|off"),
        ("limits set 5", "the following arguments are required: --account"),
        ("limits set --account acct_1 --operation create_prodcut 5", "create_prodcut"),
        ("limits set --account {acct} 5", "is not an account such as acct_1"),
        ("limits close-breaker", "one of the arguments --account --key is required"),
        (f"limits close-breaker --key {KEY}", "hexadecimal digits of a key's hash"),
        ("limits", "the following arguments are required: ACTION"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_right_form(
    command: Any, line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command(line)

    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert said in err
    assert KEY not in err


@pytest.mark.parametrize(
    "name", ["list_product", "retrieve_payment_intent", "capture_payment_intent"]
)
def test_the_limit_of_a_read_or_of_any_operation_can_be_set(command: Any, name: str) -> None:
    assert command(f"limits set --account acct_1 --mode live --operation {name} 5")[0] == 0


def test_an_open_breaker_of_an_account_is_closed_by_hand(command: Any, limits: Limits) -> None:
    async def fail() -> None:
        for _ in range(FAILURES_IN_A_ROW):
            await limits.call(feedback=Feedback.FAILED)

    asyncio.run(fail())
    assert "breaker of the account open" in command("limits show")[1]

    assert command("limits close-breaker --account acct_1") == (
        0,
        f"Closed the breaker of {LIVE}.\n",
        "",
    )
    code, _, err = command("limits close-breaker --account acct_1")
    assert (code, err) == (1, "No breaker of acct_1 is open.\n")


def test_an_open_breaker_of_a_key_is_closed_by_the_first_digits_of_its_hash(
    command: Any, limits: Limits
) -> None:
    async def refuse() -> None:
        await limits.keys.open(KEY_HASH, None)
        await limits.keys.open(KEY_HASH, CREATE)

    asyncio.run(refuse())

    code, said, _ = command(f"limits close-breaker --key {KEY_HASH[:8]} --json")

    assert (code, json.loads(said)) == (0, {"closed": KEY_HASH})
    assert limits.keys.breakers == {}
    code, said, _ = command(f"limits close-breaker --key {KEY_HASH[:8]} --json")
    assert (code, json.loads(said)) == (1, {"closed": None})


def test_digits_of_two_keys_close_neither(command: Any, limits: Limits) -> None:
    other = KEY_HASH[:-1] + "1"
    asyncio.run(limits.keys.open(KEY_HASH, None))
    asyncio.run(limits.keys.open(other, None))

    code, _, err = command(f"limits close-breaker --key {KEY_HASH[:12]}")

    assert code == 2
    assert "2 keys begin with" in err
    assert len(limits.keys.breakers) == 2


@pytest.mark.parametrize(
    "line",
    [
        "limits show",
        "limits set --account acct_1 5",
        "limits reset --account acct_1",
        "limits close-breaker --account acct_1",
        "limits close-breaker --key 3f9c2a7be014",
        "pause --all",
        "resume --all",
    ],
)
def test_without_redis_a_command_says_so_in_one_line(
    command: Any, limits: Limits, line: str
) -> None:
    limits.limiter.away = True

    code, out, err = command(line)

    assert (code, out) == (2, "")
    assert err == "paydispatch: Redis is unavailable\n"


@pytest.mark.parametrize(
    "line", ["limits show", "limits set", "limits reset", "limits close-breaker", "pause", "resume"]
)
def test_the_help_has_examples_and_exit_codes(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*line.split(), "--help"])

    text = capsys.readouterr().out
    assert f"  paydispatch {line}" in text
    assert "exit codes:" in text
    assert "--json" in text
