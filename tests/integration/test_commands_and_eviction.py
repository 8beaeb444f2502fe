"""With a Redis that evicts, a command ends at once with one line, and `doctor` reports it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.away import AWAY

from paydispatch.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOWS = str(Path(__file__).parents[2] / "flows")


@pytest.fixture
def url_of_evicting_redis(valkey: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in AWAY.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("REDIS_URL", valkey.url)
    with valkey.admin() as admin:
        admin.config_set("maxmemory-policy", "volatile-lru")
        yield valkey.url
        admin.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize("command", ["worker --all", "local --redis-url URL"])
def test_a_command_does_not_start_and_prints_the_reason(
    command: str, url_of_evicting_redis: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.replace("URL", url_of_evicting_redis).split(), "--flows", FLOWS]) == 2

    said = capsys.readouterr().err
    assert "maxmemory-policy is volatile-lru" in said
    assert "REDIS_ALLOW_EVICTION=true" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_doctor_runs_and_reports_the_eviction_policy(
    as_json: bool,
    url_of_evicting_redis: str,
    aws: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = aws("sqs").create_queue(QueueName="requests")["QueueUrl"]
    monkeypatch.setenv("REQUEST_QUEUE_URL", url)
    monkeypatch.setenv("DEAD_LETTER_QUEUE_URL", url)

    assert main(["doctor", *(["--json"] if as_json else [])]) == 1

    said = capsys.readouterr().out
    if as_json:
        report = json.loads(said)
        assert (report["eviction_policy"], report["healthy"]) == ("volatile-lru", False)
    else:
        assert "redis: maxmemory-policy volatile-lru" in said
