"""A local stack with its console, and pages of Chromium on it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from paydispatch.local.settings import LocalSettings
from paydispatch.local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 60_000
"""A test waits for an event, and this long only if that never comes."""


RESUME = """fetch("/data/commands", {method: "POST", headers: {"content-type": "application/json"},
    body: '{"command": "resume", "arguments": {"all": true}}'})"""
"""A test that fails leaves no pause to the next one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", type=Path, help="the folder for pictures of the page")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Yield a Chromium. Skip the test where there is none, or no library that drives it."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: make console-test"
    )
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


BROKEN_FLOW = """
from pathlib import Path
from paydispatch import Retry

RETRY = Retry(attempts=1)


def run(parsed_data, flow):
    if not Path(__file__).with_name("mended").exists():
        raise RuntimeError("the shop's database is away")
"""


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of flows that do nothing. That of a tax rate fails until there is a file `mended` beside it."""
    folder = tmp_path_factory.mktemp("flows")
    (folder / "new_create_tax_rate_response.py").write_text(BROKEN_FLOW)
    for end in ("response", "error"):
        (folder / f"any_{end}.py").write_text("def run(outcome, flow): ...\n")
    return folder


@pytest.fixture(scope="session")
def stack(browser: Any, flows: Path) -> Iterator[LocalStack]:
    """Yield a stack with a console. It needs the browser first, because without one it would serve no test."""
    with LocalStack(LocalSettings(console=True, flows=flows)) as stack:
        yield stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Show the text of the page with a failed test."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and page is not None:
        report.sections.append(("The page", f"{page.url}\n{page.inner_text('body')}"))
    return report


@pytest.fixture
def page(stack: LocalStack, browser: Any) -> Iterator[Any]:
    # Without motion, because axe would measure a colour on its way to another one.
    page = browser.new_page(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE_MS)
    page.goto(stack.addresses.console)
    yield page
    page.evaluate(RESUME)
    page.close()
    httpx.delete(f"{stack.addresses.stripe_base}/_twin/faults").raise_for_status()


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    folder: Path = request.config.getoption("pictures") or tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    return folder
