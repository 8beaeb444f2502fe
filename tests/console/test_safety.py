"""A hostile neighbour shows as text, no key is in the page, and no page of another origin reads or acts."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.console.pages import go, submit, wait_for_end

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from paydispatch.local.stack import LocalStack

HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>\u202e\x1b[31m'
KEY = "sk_test_51CanaryCanaryCanaryCanary"


def send(stack: LocalStack, **fields: Any) -> str:
    body = {"worker_id": "w", "context_id": "c", "stripe_secret": KEY, **fields}
    answer = httpx.post(f"{stack.addresses.api}/v1/products", json=body)
    assert answer.status_code == 202, answer.text
    request_id: str = answer.json()["request_id"]
    return request_id


VIEWS = {
    "Now": ".tile .ok, .tile .wait",
    "Requests": ".rows li",
    "Limits": ".gauge",
    "Repair": "text=Unknown outcomes",
    "Try": ".rehearsed",
}
"""Each with a part of it that data make."""


def look_everywhere(page: Any) -> str:
    """Return the text of each view."""
    shown = []
    for view, part in VIEWS.items():
        go(page, view)
        page.locator(part).first.wait_for()
        shown.append(page.inner_text("body"))
    return "\n".join(shown)


def test_markup_and_control_characters_are_shown_as_text(page: Any, stack: LocalStack) -> None:
    markup = '"><img/src=x/onerror=window.pwned=1>'
    params = {"name": HOSTILE, "metadata": {"<b>": HOSTILE}}
    send(stack, worker_id=markup, context_id="<script>window.pwned=1</script>\u202e", params=params)
    submit(page, "create_product", params)
    wait_for_end(page)
    page.get_by_text("All fields").click()
    assert "<img src=x" in page.locator("pre[aria-label='All fields']").inner_text()
    go(page, "Requests")
    page.locator(".rows button", has_text=markup).wait_for()
    shown = page.inner_text("body") + look_everywhere(page)
    assert page.evaluate("window.pwned") is None
    assert not {"\u202e", "\x1b"} & set(shown)


def test_a_key_is_in_no_traffic_and_in_no_view(page: Any, stack: LocalStack) -> None:
    traffic: list[str] = []
    page.on("response", lambda answer: traffic.append(answer.text()))
    page.on("request", lambda asked: traffic.append(asked.url + (asked.post_data or "")))
    request_id = send(stack, params={"name": "Secret book"})
    page.goto(f"{page.url.split('#')[0]}#request/{request_id}")
    wait_for_end(page)
    submit(page, "create_product", {"name": "Another secret book"})
    wait_for_end(page)
    traffic.append(look_everywhere(page) + page.content())
    assert len(traffic) > 20
    assert not [text for text in traffic if "sk_test_" in text]


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[str]:
    """Serve a page at another port of the same host, which gets the cookies of a same site."""
    (tmp_path / "index.html").write_text("<!doctype html><title>neighbour</title>")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


READ = "url => fetch(url, {credentials: 'include'}).then(answer => answer.text(), () => 'refused')"
ACT = """url => fetch(url, {method: 'POST', credentials: 'include', mode: 'no-cors',
    headers: {'content-type': 'text/plain'}, body: '{"command": "pause", "arguments": {"all": true}}'
    }).catch(() => null)"""
FRAME = """url => new Promise(done => { const frame = document.createElement('iframe');
    frame.onload = () => done(); frame.src = url; document.body.append(frame); })"""


def test_another_origin_can_neither_read_nor_act_nor_frame_the_page(
    page: Any, browser: Any, stack: LocalStack, neighbour: str
) -> None:
    base = stack.addresses.console.split("/?")[0]
    other = browser.new_context()
    signed_in = other.new_page()
    signed_in.goto(stack.addresses.console)
    signed_in.locator(".tile").first.wait_for()
    hostile = other.new_page()
    hostile.goto(neighbour)
    assert hostile.evaluate(READ, f"{base}/data/requests") == "refused"
    hostile.evaluate(ACT, f"{base}/data/commands")
    hostile.evaluate(FRAME, base)
    assert [frame for frame in hostile.frames if "app.js" in frame.content()] == []
    go(page, "Limits")
    page.get_by_text("No pause, no open breaker.").wait_for()
    other.close()
