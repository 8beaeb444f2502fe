"""Only the person with the printed address gets in, and no page of another origin reads or acts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from paydispatch.console.app import build_app
from paydispatch.console.sources import Sources
from paydispatch.local.listening import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

TOKEN = "t" * 32
KEY = "sk_test_51CanaryCanaryCanaryCanary"


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    def operate(command: str, given: Mapping[str, Any]) -> dict[str, Any]:
        if command == "resume":
            raise ValueError(f"nobody expected {KEY}")
        return {"command": command, **given, "note": f"it was {KEY}"}

    port = free_port()
    app = build_app(Sources(operate=operate), token=TOKEN, port=port)
    async with TestClient(TestServer(app, port=port)) as client:
        yield client


def origin(client: Any) -> str:
    return f"http://127.0.0.1:{client.port}"


async def sign_in(client: Any) -> None:
    await client.get(f"/?token={TOKEN}")


async def pause(client: Any, **headers: str) -> Any:
    body = {"command": "pause", "arguments": {"all": True}}
    return await client.post("/data/commands", json=body, headers=headers)


async def test_the_printed_address_sets_a_cookie_that_scripts_and_other_sites_do_not_get(
    client: Any,
) -> None:
    answer = await client.get(f"/?token={TOKEN}", allow_redirects=False)
    assert answer.status == 303
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in answer.headers["Location"]


@pytest.mark.parametrize("path", ["/", "/data/requests", "/static/console.js", "/?token=wrong"])
async def test_nothing_is_served_without_the_token(client: Any, path: str) -> None:
    assert (await client.get(path)).status == 403


async def test_a_name_that_points_to_this_machine_gets_nothing(client: Any) -> None:
    await sign_in(client)
    answer = await client.get("/", headers={"Host": f"evil.example:{client.port}"})
    assert answer.status == 403


async def test_the_own_page_may_act(client: Any) -> None:
    await sign_in(client)
    assert (await pause(client, Origin=origin(client))).status == 200


@pytest.mark.parametrize("other", ["http://evil.example", "null", "http://127.0.0.1:1"])
async def test_another_origin_can_neither_read_nor_act(client: Any, other: str) -> None:
    await sign_in(client)
    assert (await pause(client, Origin=other)).status == 403
    assert (await client.get("/data/requests", headers={"Origin": other})).status == 403


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_another_site_of_this_machine_reads_nothing(client: Any, site: str) -> None:
    await sign_in(client)
    answer = await client.get("/data/requests", headers={"Sec-Fetch-Site": site})
    assert answer.status == 403


async def test_a_command_without_an_origin_is_refused(client: Any) -> None:
    await sign_in(client)
    assert (await pause(client)).status == 403


async def test_the_page_runs_no_other_script_and_allows_no_other_origin(client: Any) -> None:
    await sign_in(client)
    answer = await client.get("/")
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "<script>" not in await answer.text()


async def test_a_key_in_a_document_is_redacted(client: Any) -> None:
    await sign_in(client)
    answer = await pause(client, Origin=origin(client))
    assert KEY not in await answer.text()


async def test_an_unexpected_fault_shows_no_key_on_the_page_and_in_the_log(
    client: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    await sign_in(client)
    asyncio.get_running_loop().set_debug(True)  # then aiohttp answers with the traceback
    body = {"command": "resume", "arguments": {KEY: KEY}}
    answer = await client.post("/data/commands", json=body, headers={"Origin": origin(client)})
    assert answer.status == 500
    assert "error" in await answer.json()
    assert "nobody expected sk_test_[hidden]" in caplog.text
    shown = await answer.text() + caplog.text + "".join(capfd.readouterr())
    assert KEY not in shown


@pytest.mark.parametrize("command", ["forget", "limits set", "nonsense", None, ["pause"]])
async def test_a_command_that_the_page_does_not_have_is_refused(client: Any, command: Any) -> None:
    await sign_in(client)
    body = {"command": command, "arguments": {}}
    answer = await client.post("/data/commands", json=body, headers={"Origin": origin(client)})
    assert answer.status == 400
