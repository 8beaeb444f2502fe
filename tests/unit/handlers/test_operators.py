"""The operator's function answers a command with a document or an error, and logs the command and its caller."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.examples import KEY
from tests.unit.handlers.conftest import Context
from tests.unit.operator_in_memory import ARN, MemoryOperatorPorts

from paydispatch.domain.errors import Unavailable
from paydispatch.handlers import operators
from paydispatch.handlers.operators import MOST_BYTES, SLICE, OperatorHandler
from paydispatch.services.limits import pauses_of
from paydispatch.services.operate.table import COMMANDS

REQUIRED: dict[str, dict[str, Any]] = {
    "status": {"request_id": "pdr_1"},
    "limits set": {"account": "live acct_1", "limit": 5},
    "limits reset": {"account": "live acct_1"},
    "limits close-breaker": {"account": "live acct_1"},
    "pause": {"all": True},
    "resume": {"all": True},
    "dlq show": {"request_id": "pdr_1"},
    "flows dead show": {"id": "pdr_1"},
    "forget": {"context": "ada"},
}
"""The arguments without which a command is not done."""


@pytest.fixture
def ports() -> MemoryOperatorPorts:
    return MemoryOperatorPorts(SLICE)


async def invoke(ports: MemoryOperatorPorts, event: Any) -> dict[str, Any]:
    context: Any = Context()
    answer = await OperatorHandler(ports, ports.log)(event, context)
    assert KEY not in repr((answer, ports.log.lines))
    return answer


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_answers_with_a_document_and_one_line(
    ports: MemoryOperatorPorts, command: str
) -> None:
    asked = REQUIRED.get(command, {})

    answer = await invoke(ports, {"command": command, "arguments": asked, "caller": ARN})

    assert set(answer) == {"document"}
    done = [line for event, line in ports.log.lines if event == "command.done"]
    assert [(line["command"], line["caller"], line["arguments"]) for line in done] == [
        (command, ARN, asked)
    ]
    assert done[0]["invocation"] == "invocation-1"


@pytest.mark.parametrize(
    ("event", "param"),
    [
        (None, None),
        ([], None),
        (KEY, None),
        ({}, "command"),
        ({"command": KEY}, "command"),
        ({"command": ["pause"]}, "command"),
        ({"command": {"pause": 1}}, "command"),
        ({"command": "__class__"}, "command"),
        ({"command": "doctor", KEY: 1}, "sk_test_[hidden]"),
        ({"command": "doctor", "Records": []}, "Records"),
        ({"command": "doctor", "arguments": [KEY]}, "arguments"),
        ({"command": "doctor", "arguments": None}, "arguments"),
        ({"command": "doctor", "caller": {"a": 1}}, "caller"),
        ({"command": "doctor", "caller": "x" * 2_000}, "caller"),
        ({"command": "doctor", "arguments": {"older_than_s": -1}}, "older_than_s"),
        ({"command": "doctor", "arguments": {"older_than_s": float("nan")}}, "older_than_s"),
        ({"command": "doctor", "arguments": {"older_than_s": True}}, "older_than_s"),
        ({"command": "doctor", "arguments": {"older_than_s": KEY}}, "older_than_s"),
        ({"command": "status", "arguments": {"request_id": ""}}, "request_id"),
        ({"command": "status", "arguments": {"request_id": ["pdr_1"]}}, "request_id"),
        ({"command": "limits set", "arguments": {"account": KEY + "\n", "limit": 1}}, "account"),
        ({"command": "limits set", "arguments": {"account": "a", "limit": 0}}, "limit"),
        ({"command": "limits set", "arguments": {"account": "a", "limit": 1e99}}, "limit"),
        ({"command": "limits set", "arguments": {"account": "a", "limit": "9" * 5_000}}, "limit"),
        ({"command": "limits set", "arguments": {"account": "a", "limit": "²"}}, "limit"),
        (
            {"command": "limits set", "arguments": {"account": "a", "limit": 1, "operation": {}}},
            "operation",
        ),
        ({"command": "limits close-breaker", "arguments": {"key": KEY}}, "key"),
        ({"command": "limits close-breaker", "arguments": {}}, "account"),
        ({"command": "pause", "arguments": {"lane": "fast"}}, "lane"),
        ({"command": "pause", "arguments": {"lane": ["batch"]}}, "lane"),
        ({"command": "pause", "arguments": {"all": "yes"}}, "all"),
        ({"command": "dlq list", "arguments": {"limit": 10.5}}, "limit"),
        ({"command": "dlq list", "arguments": {"cursor": {"left": 1}}}, "cursor"),
        ({"command": "dlq list", "arguments": {"cursor": {"left": 1, "seen": [1]}}}, "cursor"),
        ({"command": "dlq redrive", "arguments": {"rate_per_s": 0.01}}, "rate_per_s"),
        ({"command": "dlq redrive", "arguments": {"dry_run": 1}}, "dry_run"),
        ({"command": "reconcile", "arguments": {"worker_ids": "w"}}, "worker_ids"),
        ({"command": "reconcile", "arguments": {"cursor": [["w"]]}}, "cursor"),
    ],
)
async def test_bad_input_gets_an_error_that_names_the_field(
    ports: MemoryOperatorPorts, event: Any, param: str | None
) -> None:
    answer = await invoke(ports, event)

    assert answer["error"].get("param") == param
    assert answer["error"]["message"]
    assert len(json.dumps(answer)) < 2_000
    assert ports.log.events() == ["command.done"]


@pytest.mark.parametrize("command", COMMANDS)
async def test_an_argument_that_a_command_does_not_know_stops_it(
    ports: MemoryOperatorPorts, command: str
) -> None:
    """A newer command may send an argument without which the work must not be done."""
    asked = {**REQUIRED.get(command, {}), "dry_runs": True}

    answer = await invoke(ports, {"command": command, "arguments": asked})

    assert (answer["error"]["code"], answer["error"]["param"]) == (
        "parameter_invalid",
        "dry_runs",
    )
    assert ports.limiter.global_pauses == {}


@pytest.mark.parametrize("command", REQUIRED)
async def test_a_missing_argument_is_named(ports: MemoryOperatorPorts, command: str) -> None:
    answer = await invoke(ports, {"command": command})

    assert answer["error"]["message"]


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Unavailable(f"Redis is gone {KEY}"), "Unavailable", "Redis is gone sk_test_[hidden]"),
        (RuntimeError(KEY), "internal", "internal: RuntimeError. The function's log has"),
    ],
)
async def test_a_fault_is_an_error_without_its_text(
    ports: MemoryOperatorPorts,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: str,
    said: str,
) -> None:
    def fail(**_: Any) -> Any:
        raise error

    monkeypatch.setattr(ports, "limit_board", fail)

    answer = await invoke(ports, {"command": "limits show"})

    assert answer["error"]["code"] == code
    assert answer["error"]["message"].startswith(said)


async def test_an_answer_that_lambda_cannot_return_is_an_error(
    ports: MemoryOperatorPorts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, "MOST_BYTES", 10)

    answer = await invoke(ports, {"command": "limits show"})

    assert "Lambda answers with 6 MB at most" in answer["error"]["message"]


async def test_a_key_in_a_parked_message_is_not_in_the_answer(ports: MemoryOperatorPorts) -> None:
    ports.dead_letters.put(f'{{"a": "{KEY}"', sent_at=1.0, reason=KEY)

    answer = await invoke(ports, {"command": "dlq show", "arguments": {"request_id": "m-1"}})

    assert "sk_test_[hidden]" in answer["document"]["message"]["envelope"]


async def test_a_pause_without_a_name_is_by_the_caller(ports: MemoryOperatorPorts) -> None:
    for asked, by in (({}, ARN), ({"by": "ada"}, "ada")):
        arguments = {"all": True, **asked}
        event = {"command": "pause", "arguments": arguments, "caller": ARN}
        document = (await invoke(ports, event))["document"]
        assert document["pauses"][0]["by"] == by
        await ports.board.resume(None, None)


async def test_a_cursor_is_not_logged(ports: MemoryOperatorPorts) -> None:
    cursor = {"left": 3, "seen": ["m-1"]}

    await invoke(ports, {"command": "dlq list", "arguments": {"cursor": cursor}})

    assert ports.log.lines[-1][1]["arguments"] == {}


async def test_a_full_run_of_long_texts_fits_into_an_answer(ports: MemoryOperatorPorts) -> None:
    for number in range(SLICE.messages):
        body = f'{{"v": 2, "request_id": "{number}", "{chr(0x1F600) * 5_000}": 1'
        ports.dead_letters.put(body, sent_at=1.0, reason=chr(0x1F600) * 100_000)

    answer = await invoke(ports, {"command": "dlq list"})

    assert len(answer["document"]["messages"]) == SLICE.messages
    assert len(json.dumps(answer)) < MOST_BYTES


async def test_a_key_in_the_name_of_a_pause_is_not_kept(ports: MemoryOperatorPorts) -> None:
    asked = {"command": "pause", "arguments": {"all": True, "by": f"ada with {KEY}"}}
    await invoke(ports, asked)
    (pause,) = await pauses_of(ports.board, None)
    assert pause.by == "ada with sk_test_[hidden]"
