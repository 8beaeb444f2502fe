"""`--verbose` prints the event log of a command while it runs."""

from __future__ import annotations

import pytest

from paydispatch.adapters.command_event_log import CommandEventLog
from paydispatch.cli.event_log import show_event_log
from paydispatch.cli.main import main
from paydispatch.domain.errors import Unavailable


@pytest.mark.parametrize(("wanted", "shown"), [(True, True), (False, False)])
def test_the_event_log_is_shown_only_with_verbose(
    wanted: bool, shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_event_log(verbose=wanted):
        CommandEventLog().info("request.redriven", request_id="pdr_1")

    printed = capsys.readouterr()
    assert printed.out == ""
    assert ("request.redriven {'request_id': 'pdr_1'}" in printed.err) is shown


def test_the_event_log_is_hidden_again_afterwards(capsys: pytest.CaptureFixture[str]) -> None:
    with show_event_log(verbose=True):
        pass
    CommandEventLog().info("request.redriven")

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("paydispatch.compose.operators.ports.ConnectedPorts.redriver", "dlq redrive"),
        ("paydispatch.cli.operate._reconcile_here", "reconcile"),
    ],
)
def test_a_command_that_writes_an_event_log_has_the_option(
    part: str,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def log_and_fail(*_: object) -> None:
        CommandEventLog().info("request.redriven")
        raise Unavailable("Redis: gone")

    monkeypatch.setattr(part, log_and_fail)

    assert main([*line.split(), "--verbose"]) == 2

    assert capsys.readouterr().err == "request.redriven {}\npaydispatch: Redis: gone\n"
