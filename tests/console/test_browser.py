"""Drive the page in Chromium against a whole local stack. `make console-test` runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Iterator

playwright = pytest.importorskip("playwright.sync_api", reason="needs the group `console`")

CHROMIUM = Path("/usr/bin/chromium")
PICTURES = Path("docs/console")
HOSTILE = '<img src=x onerror="window.pwned=1">\u202e'
PATIENCE_MS = 60_000

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium")


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(LocalSettings(console=True)) as stack:
        yield stack


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(stack: LocalStack, browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(stack.addresses.console)
    yield page
    page.close()


def submit(page: Any, name: str) -> None:
    page.get_by_role("button", name="Try", exact=True).click()
    page.get_by_label("Parameters").fill(json.dumps({"name": name}))
    page.get_by_role("button", name="Submit").click()


def follow(page: Any) -> None:
    page.get_by_role("button", name="Follow it").click()


def test_a_submitted_request_is_seen_to_succeed(page: Any) -> None:
    submit(page, "Book")
    follow(page)
    page.locator(".status.succeeded").wait_for()
    path = page.get_by_label("Path")
    assert "accepted" in path.inner_text()
    assert "answered" in path.inner_text()


def test_a_request_to_a_broken_twin_waits_and_says_so(page: Any) -> None:
    page.get_by_role("button", name="Try", exact=True).click()
    page.get_by_role("button", name="500 before").click()
    submit(page, "Slow book")
    follow(page)
    page.locator(".status.retrying").wait_for()
    page.get_by_role("button", name="Try", exact=True).click()
    page.get_by_role("button", name="Heal").click()
    page.get_by_role("button", name="Requests").click()
    page.locator(".rows button", has_text="succeeded").nth(1).wait_for()


def test_pausing_shows_what_is_held_back_until_it_is_resumed(page: Any) -> None:
    page.get_by_role("button", name="Limits").click()
    page.get_by_role("button", name="Pause").click()
    page.locator("p.wait").first.wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("No pause, no open breaker.").wait_for()


def test_markup_in_a_request_is_shown_as_text(page: Any) -> None:
    submit(page, HOSTILE)
    follow(page)
    page.locator(".status.succeeded").wait_for()
    page.get_by_text("All fields").click()
    assert "<img src=x" in page.locator("details pre").inner_text()
    assert page.evaluate("window.pwned") is None
    assert "\u202e" not in page.inner_text("body")


def test_the_key_of_a_request_is_in_no_answer(page: Any) -> None:
    bodies: list[str] = []
    page.on("response", lambda answer: bodies.append(answer.text()))
    page.on("request", lambda asked: bodies.append(asked.post_data or ""))
    submit(page, "Secret book")
    follow(page)
    page.locator(".status.succeeded").wait_for()
    assert bodies
    assert not [text for text in bodies if "sk_test_" in text]


@pytest.mark.parametrize(
    ("scheme", "width", "name"),
    [("light", 1200, "light"), ("dark", 1200, "dark"), ("light", 375, "narrow")],
)
def test_the_page_fits_and_is_accessible(page: Any, scheme: str, width: int, name: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_role("button", name="Requests").click()
    page.locator(".rows li").first.wait_for()
    check(page, width, f"{name}-requests")
    page.locator(".rows li button").first.click()
    page.locator(".path li").nth(4).wait_for()
    check(page, width, f"{name}-story")
    page.get_by_role("button", name="Now").click()
    page.locator(".tile").nth(4).wait_for()
    check(page, width, f"{name}-now")


def check(page: Any, width: int, name: str) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=PICTURES / f"{name}.png", animations="disabled")
    assert serious(page) == []


def serious(page: Any) -> list[str]:
    source = os.environ.get("AXE")
    if source is None:
        pytest.skip("AXE does not name axe.min.js of the npm package axe-core")
    page.evaluate(Path(source).read_text())  # the policy of the page refuses a script tag
    found = page.evaluate("axe.run()")
    broken = [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")]
    return broken + [text for text in map(str, found["incomplete"]) if "equalRatio" in text]
