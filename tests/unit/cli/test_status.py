"""`paydispatch status --api`: as much of the API's answer as there is."""

from __future__ import annotations

import httpx
import pytest

from paydispatch.cli.arguments import api_url
from paydispatch.cli.commands.status import _ask_api
from paydispatch.cli.main import main
from paydispatch.domain.errors import Unavailable

API = "https://api.example.com"
FOUND = {"request_id": "pdr_1", "status": "dispatched"}


def answering(status: int, **body: object) -> httpx.MockTransport:
    """`body` is `json=` or `text=`."""
    return httpx.MockTransport(lambda _: httpx.Response(status, **body))  # type: ignore[arg-type]


def refusal(code: str, message: str) -> dict[str, object]:
    return {"error": {"type": "invalid_request_error", "code": code, "message": message}}


def asked(monkeypatch: pytest.MonkeyPatch, token: str) -> httpx.Request:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=FOUND)

    monkeypatch.setenv("PAYDISPATCH_TOKEN", token)
    assert _ask_api("pdr/1", API, httpx.MockTransport(answer)) == FOUND
    return seen[0]


def test_the_token_is_sent_with_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(monkeypatch, "eyJ")

    assert request.headers["Authorization"] == "Bearer eyJ"
    assert str(request.url) == f"{API}/v1/requests/pdr%2F1"


def test_without_a_token_nobody_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Authorization" not in asked(monkeypatch, "").headers


def test_a_request_that_the_api_does_not_know_is_none() -> None:
    missing = answering(404, json=refusal("resource_missing", "No request 'pdr_1'."))

    assert _ask_api("pdr_1", API, missing) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answering(404, json={"message": "Not Found"}), 'answered 404: {"message":"Not Found"}'),
        (answering(404, json=refusal("unknown_route", "No such route.")), "404: No such route."),
        (answering(401, json=refusal("not_signed_in", "Sign in.")), "answered 401: Sign in."),
        (answering(200, text="<html>a portal</html>"), "answered 200: <html>"),
        (answering(200, json=["?"]), "answered 200"),
        (answering(502, text="Bad Gateway"), "answered 502: Bad Gateway"),
        (answering(503, json={"error": "text"}), "answered 503"),
    ],
)
def test_any_other_answer_is_told_as_it_is(answer: httpx.MockTransport, said: str) -> None:
    with pytest.raises(Unavailable) as told:
        _ask_api("pdr_1", API, answer)

    assert f"The API at {API} " in str(told.value)
    assert said in str(told.value)


@pytest.mark.parametrize("text", [API, f"{API}/", f"{API}//"])
def test_a_slash_at_the_end_of_an_address_does_not_count(text: str) -> None:
    assert api_url(text) == API


@pytest.mark.parametrize(
    "address",
    ["api.example.com", "http://", "http://[", "http://h:x", "ftp://h", "http://api.example.com"],
)
@pytest.mark.parametrize("command", ["status pdr_1", "submit requests.jsonl"])
def test_what_is_no_address_is_refused(
    command: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--api", address])

    assert ended.value.code == 2
    assert "is not a URL such as https://" in capsys.readouterr().err


def test_an_api_that_is_away_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "pdr_1", "--api", "http://127.0.0.1:1"]) == 2

    assert "The API at http://127.0.0.1:1 is unreachable" in capsys.readouterr().err
