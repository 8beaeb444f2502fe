"""The steps of a person on the page. Each waits for its event, so that a slow machine fails no test."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTLED = ".status.succeeded, .status.failed, .status.unknown"


def go(page: Any, view: str) -> None:
    page.get_by_role("navigation").get_by_role("button", name=view, exact=True).click()


def fill_in(
    page: Any, operation: str, params: Mapping[str, Any], ids: Mapping[str, str] | None = None
) -> None:
    go(page, "Try")
    page.get_by_label("Operation", exact=True).fill(operation)
    for name, id_ in (ids or {}).items():
        page.get_by_label(name, exact=True).fill(id_)
    page.get_by_label("Parameters (JSON)").fill(json.dumps(params))


def submit(
    page: Any, operation: str, params: Mapping[str, Any], ids: Mapping[str, str] | None = None
) -> None:
    """Submit a request with the form, and open its story."""
    fill_in(page, operation, params, ids)
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Follow it").click()


def wait_for_end(page: Any) -> str:
    """Return the settled status of the request on the page."""
    status = page.locator("main p").locator(SETTLED).first
    status.wait_for()
    text: str = status.inner_text()
    return text


def stripe_answer(page: Any) -> dict[str, Any]:
    """Return Stripe's answer to the request on the page."""
    shown = page.get_by_label("Stripe's answer")
    shown.wait_for(state="attached")
    answer: dict[str, Any] = json.loads(shown.text_content())
    return answer


def break_twin(page: Any, fault: str) -> None:
    go(page, "Try")
    page.get_by_role("button", name=fault, exact=True).click()
    page.get_by_text("1 fault set.").wait_for()


def heal_twin(page: Any) -> None:
    go(page, "Try")
    page.get_by_role("button", name="Heal", exact=True).click()
    page.get_by_text("No fault is set.").wait_for()
