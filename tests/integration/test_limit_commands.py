"""The commands of the limits on a real server: what one changes, the limiter of the callers obeys."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.away import AWAY

from paydispatch.adapters.redis.connection import connect_async
from paydispatch.adapters.redis.rates.key_breakers import RedisKeyBreakers
from paydispatch.adapters.redis.rates.limiter import RedisLimiter
from paydispatch.cli.main import main
from paydispatch.domain.rates.feedback import Feedback
from paydispatch.domain.rates.lanes import RateLane
from paydispatch.domain.rates.limits import DefaultLimits
from paydispatch.domain.rates.outage import FAILURES_IN_A_ROW
from paydispatch.domain.rates.tokens import Granted, Postponed, TokenAsk, Why
from paydispatch.domain.rates.waiting import Waiting
from paydispatch.domain.requests import Lane

if TYPE_CHECKING:
    from collections.abc import Callable

ACCOUNT = "test acct_1"
CREATE = "create_product"
KEY_HASH = "3f9c2a7be014" + "0" * 52


@pytest.fixture
def url(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("REDIS_URL", valkey.url)
    return str(valkey.url)


@pytest.fixture
def command(url: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command with `--json`. Return its exit code and its JSON."""
    del url

    def run(*words: str) -> tuple[int, Any]:
        code = main([*words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def take(
    url: str, *feedback: Feedback, lane: RateLane = RateLane.INTERACTIVE
) -> list[Granted | Postponed]:
    """Ask a new limiter for a token for each feedback, and report it. Return the answers."""

    async def work() -> list[Granted | Postponed]:
        async with connect_async(url) as redis:
            limiter = RedisLimiter(redis, DefaultLimits())
            answers = []
            for each in feedback:
                ask = TokenAsk(account=ACCOUNT, operation=CREATE, lane=lane, longest_wait_s=1.0)
                answer = await limiter.take(ask)
                answers.append(answer)
                if isinstance(answer, Granted):
                    await limiter.report(answer, each)
            return answers

    return asyncio.run(work())


def is_paused(url: str, lane: RateLane) -> bool:
    (answer,) = take(url, Feedback.FINE, lane=lane)
    return isinstance(answer, Postponed) and answer.why is Why.PAUSED


def limit_of(view: Any, operation: str | None) -> Any:
    (found,) = [one for one in view["limits"] if one["operation"] == operation]
    return found


def test_limits_show_has_the_accounts_that_were_called_and_what_they_learned(
    command: Any, url: str
) -> None:
    take(url, Feedback.OPERATION_RATE)

    code, shown = command("limits", "show")

    assert code == 0
    (view,) = shown["accounts"]
    assert view["account"] == ACCOUNT
    assert limit_of(view, CREATE)["rate"] < limit_of(view, CREATE)["configured"] == 25


def test_limits_set_and_reset_change_the_limit_of_the_account(command: Any, url: str) -> None:
    take(url, Feedback.OPERATION_RATE)

    code, view = command("limits", "set", "--account", "acct_1", "--operation", CREATE, "7")
    assert code == 0
    assert limit_of(view, CREATE)["configured"] == 7
    assert limit_of(view, CREATE)["overridden"]

    code, view = command("limits", "set", "--account", "acct_1", "off")
    assert (code, limit_of(view, None)["configured"]) == (0, None)

    code, view = command("limits", "reset", "--account", "acct_1")
    assert code == 0
    limit = limit_of(view, None)
    assert (limit["configured"], limit["rate"], limit["overridden"]) == (25, 25, False)
    assert limit_of(view, CREATE)["rate"] == 25


def test_limits_close_breaker_lets_the_calls_of_an_account_go(command: Any, url: str) -> None:
    take(url, *[Feedback.FAILED] * FAILURES_IN_A_ROW)
    (answer,) = take(url, Feedback.FINE)
    assert isinstance(answer, Postponed)
    assert answer.why is Why.OUTAGE

    assert command("limits", "close-breaker", "--account", "acct_1") == (0, {"closed": ACCOUNT})

    assert isinstance(take(url, Feedback.FINE)[0], Granted)
    assert command("limits", "close-breaker", "--account", "acct_1") == (1, {"closed": None})


def test_limits_close_breaker_lets_the_calls_of_a_key_go(command: Any, url: str) -> None:
    async def check(*, refuse: bool) -> Postponed | None:
        async with connect_async(url) as redis:
            breakers = RedisKeyBreakers(redis)
            if refuse:
                await breakers.open(KEY_HASH, None)
            return await breakers.check(KEY_HASH, CREATE)

    assert asyncio.run(check(refuse=True)) is not None

    assert command("limits", "close-breaker", "--key", KEY_HASH[:12]) == (0, {"closed": KEY_HASH})

    assert asyncio.run(check(refuse=False)) is None


@pytest.mark.parametrize(
    "words", [["--all"], ["--account", ACCOUNT]], ids=["all accounts", "one account"]
)
def test_pause_stops_the_calls_and_resume_lets_them_go(
    command: Any, url: str, words: list[str]
) -> None:
    assert command("pause", *words)[0] == 0
    assert is_paused(url, RateLane.INTERACTIVE)

    assert command("resume", *words)[0] == 0
    assert not is_paused(url, RateLane.INTERACTIVE)
    assert command("resume", *words)[0] == 1


def test_a_paused_lane_leaves_the_other_lane_alone(command: Any, url: str) -> None:
    command("pause", "--lane", "batch")
    assert is_paused(url, RateLane.BATCH)
    assert not is_paused(url, RateLane.INTERACTIVE)


def test_the_commands_work_on_a_cluster(
    cluster: Any, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", cluster.url)
    assert command("pause", "--account", ACCOUNT)[0] == 0
    assert command("limits", "set", "--account", ACCOUNT, "7")[0] == 0
    (view,) = command("limits", "show")[1]["accounts"]
    assert (limit_of(view, None)["configured"], len(view["pauses"])) == (7, 1)
    assert command("resume", "--account", ACCOUNT)[0] == 0


def test_doctor_reports_a_pause(
    command: Any, url: str, aws: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = aws("sqs").create_queue(QueueName="requests")["QueueUrl"]
    monkeypatch.setenv("REQUEST_QUEUE_URL", queue)
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", queue)
    monkeypatch.setenv("REDIS_URL", url)
    assert command("doctor")[0] == 0

    command("pause", "--all", "--by", "alice")

    code, diagnosis = command("doctor")
    assert code == 1
    (hold,) = diagnosis["holds"]
    assert (hold["kind"], hold["subject"]) == ("paused", "all accounts")
    assert hold["detail"] == "all lanes paused by alice"


@pytest.mark.parametrize("words", [["--all"], ["--account", ACCOUNT]], ids=["all", "account"])
def test_status_says_that_a_request_waits_for_a_pause(
    command: Any, url: str, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    asyncio.run(_store_retrying(url))
    command("pause", *words, "--by", "alice")

    _, found = command("status", "pdr_1")
    assert [hold["detail"] for hold in found["held_back_by"]] == ["all lanes paused by alice"]

    assert main(["status", "pdr_1"]) == 0
    printed = capsys.readouterr().out
    assert "held back, paused" in printed
    assert "it waits because lane interactive is paused" in printed

    command("resume", *words)
    assert command("status", "pdr_1")[1]["held_back_by"] == []


async def _store_retrying(url: str) -> None:
    """Store a request that was sent once in `ACCOUNT` and is to be tried again."""
    binding = {"account_id": "acct_1", "mode": "test", "key_sha256": "ab"}
    fields = {
        "tenant": "local",
        "worker_id": "w1",
        "context_id": "c1",
        "object": "product",
        "operation": CREATE,
        "status": "retrying",
        "attempts": "1",
        "retry_at": "4000000000",
        "account": json.dumps(binding),
        "waiting": Waiting(why=Why.PAUSED, lane=Lane.INTERACTIVE).as_text(),
    }
    async with connect_async(url) as redis:
        await redis.hset("pd:req:{pdr_1}", mapping=fields)
