"""The page fits, is accessible, and can be used with the keyboard alone. It makes the pictures of the documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.console.pages import break_twin, go, heal_twin

if TYPE_CHECKING:
    from pathlib import Path

    from paydispatch.local.stack import LocalStack

KEY = "sk_test_of_a_picture"
PAYMENT = {
    "amount": 2000,
    "currency": "usd",
    "confirm": True,
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
}


@pytest.fixture(scope="module")
def shop(stack: LocalStack) -> LocalStack:
    """Put the requests of a small shop into the stack."""
    for number in range(12):
        send(stack, "products", f"order-{1000 + number}", {"name": f"Book {number}"})
    for card, order in (("pm_card_visa", "order-1020"), ("pm_card_chargeDeclined", "order-1021")):
        send(stack, "payment_intents", order, {**PAYMENT, "payment_method": card})
    return stack


def send(stack: LocalStack, path: str, context: str, params: dict[str, Any]) -> None:
    body = {"worker_id": "shop", "context_id": context, "stripe_secret": KEY, "params": params}
    assert httpx.post(f"{stack.addresses.api}/v1/{path}", json=body).status_code == 202


@pytest.mark.parametrize(
    ("scheme", "width", "name"),
    [("light", 1200, "light"), ("dark", 1200, "dark"), ("light", 375, "narrow")],
)
def test_each_view_fits_and_is_accessible(
    shop: LocalStack, page: Any, pictures: Path, scheme: str, width: int, name: str
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    break_twin(page, "500 before it acts")
    send(shop, "coupons", "order-1022", {"percent_off": 10, "duration": "once"})

    def look(view: str, *seen: Any) -> None:
        for each in seen:
            each.first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=pictures / f"{name}-{view}.png", animations="disabled")
        assert serious(page) == []

    look("try", page.get_by_label("What the API would answer").get_by_text("202"))
    go(page, "Now")
    look("now", page.locator(".rows button", has_text="retrying"), page.locator(".uplot").nth(2))
    go(page, "Limits")
    look("limits", page.get_by_text("breaker:"))
    go(page, "Repair")
    look("repair", page.get_by_text("Dead letters"))
    go(page, "Requests")
    look("requests", page.locator(".rows button", has_text="succeeded"))
    page.locator(".rows button", has_text="retrying").first.click()
    look("story", page.get_by_text("attempt 3"), page.get_by_text("The next attempt"))
    heal_twin(page)


def serious(page: Any) -> list[str]:
    """Return the serious violations that axe finds, each with an element that has it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_a_request_is_found_and_opened_with_the_keyboard_alone(shop: LocalStack, page: Any) -> None:
    from playwright.sync_api import expect

    page.get_by_role("navigation").get_by_role("button", name="Requests").focus()
    page.keyboard.press("Enter")
    page.locator(".rows li").first.wait_for()
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.type") != "search":
        page.keyboard.press("Tab")
    page.keyboard.type("order-1021")
    rows = page.locator(".rows button")
    expect(rows.filter(has_text="order-1021")).to_have_count(1)
    expect(rows).to_have_count(1)
    while "order-1021" not in page.evaluate("document.activeElement.innerText ?? ''"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name="pdr_")
    heading.wait_for()
    assert page.evaluate("document.activeElement.tagName") == "H2"
