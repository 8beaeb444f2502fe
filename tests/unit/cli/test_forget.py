"""`paydispatch forget` prints the counts of an erasure, and of the work that is left."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.cli.main import main
from paydispatch.domain.operators.erasure import Conversation, Erased, Erasure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DONE = Erasure(requests=Erased(2), dead_letters=Erased(1))
LEFT = Erasure(requests=Erased(0, 1), outcomes=Erased(1, 2))


class Forgetter:
    """Returns a prepared erasure, and remembers how it was asked."""

    def __init__(self, erasure: Erasure) -> None:
        self.erasure = erasure
        self.asked: list[tuple[str, Conversation]] = []

    async def examine(self, whose: Conversation) -> Erasure:
        self.asked.append(("examine", whose))
        return self.erasure

    async def forget(self, whose: Conversation) -> Erasure:
        self.asked.append(("forget", whose))
        return self.erasure

    @asynccontextmanager
    async def opened(self, _: Any) -> AsyncIterator[Forgetter]:
        yield self


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    class Settings:
        queue_tenant = "shop"

    monkeypatch.setattr(
        "paydispatch.compose.operators.ports.CallerSettings.from_env", lambda: Settings()
    )
    monkeypatch.setenv("QUEUE_TENANT", "shop")


@pytest.fixture
def forgetter(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Forgetter:
    made = Forgetter(getattr(request, "param", DONE))
    monkeypatch.setattr("paydispatch.compose.forgetter.forgetter", made.opened)
    return made


def test_it_prints_what_was_erased(
    forgetter: Forgetter, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", "--context", "ada"]) == 0
    assert capsys.readouterr().out == "Erased: 2 requests, 1 dead letter.\n"
    assert forgetter.asked == [("forget", Conversation(context_id="ada", tenant="shop"))]


@pytest.mark.parametrize("forgetter", [LEFT], indirect=True)
def test_unfinished_work_is_named_and_ends_with_1(
    forgetter: Forgetter, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["forget", "--context", "ada", "--dry-run"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "Would erase: 1 outcome.",
        "Left: 1 request not settled yet.",
        "Left: 2 outcomes whose flow has not finished.",
    ]
    assert forgetter.asked[0][0] == "examine"


def test_json_has_every_count(forgetter: Forgetter, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(["forget", "--context", "ada", "--tenant", "acme", "--worker-id", "w", "--json"]) == 0
    )
    printed = json.loads(capsys.readouterr().out)
    assert printed["requests"] == {"erased": 2, "left": 0}
    assert (printed["complete"], printed["dry_run"]) == (True, False)
    whose = Conversation(context_id="ada", tenant="acme", worker_id="w")
    assert forgetter.asked == [("forget", whose)]


def test_a_context_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["forget"])
    assert ended.value.code == 2
    assert "--context" in capsys.readouterr().err
