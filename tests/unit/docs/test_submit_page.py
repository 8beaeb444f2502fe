"""The page about `submit` prints the output of the command: each of its files is written, and each command is run."""

from __future__ import annotations

import re
import shlex
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.cli.commands import submit
from paydispatch.cli.main import main
from paydispatch.cli.submission import submission
from paydispatch.compose.dispatcher import Dispatcher
from paydispatch.testing.memory_delivery import MemoryDelivery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE = Path(__file__).parents[3] / "docs/how-to/submit.md"

_BLOCK = re.compile(r"^```(?:text (\S+)|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"run_[0-9a-f]{16}")


class AllDone:
    """`Outcomes` in which each request has succeeded."""

    def find(self, request_ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        return [{"request_id": asked, "status": "succeeded"} for asked in request_ids]


@pytest.fixture(autouse=True)
def queue_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STRIPE_SECRET_KEY", raising=False)
    monkeypatch.setenv("SEALING_KEY_ID", "alias/paydispatch")
    for name in ("REQUEST_QUEUE_URL", "BATCH_QUEUE_URL"):
        monkeypatch.setenv(name, "https://sqs.example/requests")
    monkeypatch.setattr(submit, "_dispatcher", lambda _: Dispatcher(MemoryDelivery()))
    monkeypatch.setattr(submission, "_outcomes", lambda _: nullcontext(AllDone()))


def test_each_command_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    commands = 0
    for file, text in _BLOCK.findall(PAGE.read_text("utf-8")):
        if file:
            Path(file).write_text(text, "utf-8")
            continue
        command, _, expected = text.partition("\n")
        main(shlex.split(command)[2:])
        assert _without_run(capsys.readouterr().out) == _without_run(expected), command
        commands += 1
    assert commands == 4


def _without_run(text: str) -> str:
    return _RUN.sub("run_…", text)
