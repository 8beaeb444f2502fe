"""`paydispatch status --api` shows the answer of the API."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.unit.examples import NOW_S, entry, envelope
from tests.unit.operator_in_memory import MemoryOperatorPorts

from paydispatch.cli.arguments import api_url
from paydispatch.cli.commands.status import _ask_api
from paydispatch.cli.main import main
from paydispatch.domain.errors import Unavailable
from paydispatch.ports import Postponement

if TYPE_CHECKING:
    from collections.abc import Callable

    from paydispatch.ports import Turn

API = "https://api.example.com"
FOUND = {"request_id": "pdr_1", "status": "dispatched"}


def api_with(status: int, **body: object) -> httpx.MockTransport:
    """Return a transport that gives this answer. `body` is `json=` or `text=`."""
    return httpx.MockTransport(lambda _: httpx.Response(status, **body))  # type: ignore[arg-type]


def refusal(code: str, message: str) -> dict[str, object]:
    return {"error": {"type": "invalid_request_error", "code": code, "message": message}}


def ask_with_token(monkeypatch: pytest.MonkeyPatch, token: str) -> httpx.Request:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=FOUND)

    monkeypatch.setenv("PAYDISPATCH_TOKEN", token)
    assert _ask_api("pdr/1", API, httpx.MockTransport(answer)) == FOUND
    return seen[0]


def test_the_token_is_sent_with_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    request = ask_with_token(monkeypatch, "eyJ")

    assert request.headers["Authorization"] == "Bearer eyJ"
    assert str(request.url) == f"{API}/v1/requests/pdr%2F1"


def test_without_a_token_there_is_no_authorization_header(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Authorization" not in ask_with_token(monkeypatch, "").headers


def test_a_request_unknown_to_the_api_is_none() -> None:
    missing = api_with(404, json=refusal("resource_missing", "No request 'pdr_1'."))

    assert _ask_api("pdr_1", API, missing) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (api_with(404, json={"message": "Not Found"}), 'answered 404: {"message":"Not Found"}'),
        (api_with(404, json=refusal("unknown_route", "No such route.")), "404: No such route."),
        (api_with(401, json=refusal("not_signed_in", "Sign in.")), "answered 401: Sign in."),
        (api_with(200, text="<html>a portal</html>"), "answered 200: <html>"),
        (api_with(200, json=["?"]), "answered 200"),
        (api_with(502, text="Bad Gateway"), "answered 502: Bad Gateway"),
        (api_with(503, json={"error": "text"}), "answered 503"),
    ],
)
def test_any_other_answer_is_quoted_in_the_error(answer: httpx.MockTransport, said: str) -> None:
    with pytest.raises(Unavailable) as raised:
        _ask_api("pdr_1", API, answer)

    assert f"The API at {API} " in str(raised.value)
    assert said in str(raised.value)


@pytest.mark.parametrize("text", [API, f"{API}/", f"{API}//"])
def test_a_slash_at_the_end_of_an_address_does_not_count(text: str) -> None:
    assert api_url(text) == API


@pytest.mark.parametrize(
    "address",
    ["api.example.com", "http://", "http://[", "http://h:x", "ftp://h", "http://api.example.com"],
)
@pytest.mark.parametrize("command", ["status pdr_1", "submit requests.jsonl"])
def test_an_invalid_address_is_refused(
    command: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--api", address])

    assert ended.value.code == 2
    assert "is not a URL such as https://" in capsys.readouterr().err


def test_an_unreachable_api_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "pdr_1", "--api", "http://127.0.0.1:1"]) == 2

    assert "The API at http://127.0.0.1:1 is unreachable" in capsys.readouterr().err


# With Redis


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> MemoryOperatorPorts:
    """A request whose outcome is published, and whose flow waits."""
    ports = MemoryOperatorPorts()
    ports.slot(envelope(request_id="pdr_1"), status="succeeded")
    ports.inbox.put(entry(request_id="pdr_1"))
    monkeypatch.setattr("paydispatch.compose.operators.ports.ConnectedPorts", lambda **_: ports)
    monkeypatch.setattr("time.time", lambda: NOW_S)
    return ports


async def take(ports: MemoryOperatorPorts) -> Turn:
    (turn,) = await ports.inbox.take("worker-1", at_most=1)
    return turn


async def leave(_: MemoryOperatorPorts) -> None:
    """Let no runner read it."""


async def run_on(ports: MemoryOperatorPorts) -> None:
    await take(ports)


async def fail(ports: MemoryOperatorPorts) -> None:
    await ports.inbox.postpone(await take(ports), 8.0, Postponement.FAILED)


async def finish(ports: MemoryOperatorPorts) -> None:
    await ports.inbox.finish(await take(ports), take_next=False)


async def give_up(ports: MemoryOperatorPorts) -> None:
    turn = await take(ports)
    await ports.inbox.move_to_dead_stream(turn, reason="boom", successor=None, take_next=False)


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (leave, "no runner has read it"),
        (run_on, "running, 1 run"),
        (fail, "run 1 failed, the next one is at 08:00:08.000, in 8 s"),
        (finish, "finished 08:00:00.000"),
        (give_up, "on the dead stream since 08:00:00.000, 1 run, boom"),
    ],
)
def test_a_status_says_how_far_the_flow_is(
    ports: MemoryOperatorPorts,
    work: Callable[[MemoryOperatorPorts], Any],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asyncio.run(work(ports))
    assert main(["status", "pdr_1"]) == 0
    assert f"  flow new_create_payment_intent_response: {said}" in capsys.readouterr().out


def test_a_status_in_json_has_the_flows(
    ports: MemoryOperatorPorts, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(fail(ports))
    assert main(["status", "pdr_1", "--json"]) == 0
    (flow,) = json.loads(capsys.readouterr().out)["flows"]
    assert (flow["state"], flow["runs"], flow["failed"], flow["due_at"]) == (
        "postponed",
        1,
        1,
        NOW_S + 8,
    )
