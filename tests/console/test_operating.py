"""Operate the stack from the page: see why a request waits, repair it, and hold calls back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
from tests.console.pages import break_twin, go, heal_twin, submit, wait_for_end

if TYPE_CHECKING:
    from pathlib import Path

    from paydispatch.local.stack import LocalStack

KEY = "sk_test_of_the_console_test"
DECLINED = {
    "amount": 2000,
    "currency": "usd",
    "payment_method": "pm_card_chargeDeclined",
    "confirm": True,
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
}


def send(stack: LocalStack, context: str, **fields: Any) -> str:
    body = {
        "worker_id": "operating",
        "context_id": context,
        "stripe_secret": KEY,
        "params": {"name": context},
        **fields,
    }
    answer = httpx.post(f"{stack.addresses.api}/v1/products", json=body)
    assert answer.status_code == 202, answer.text
    request_id: str = answer.json()["request_id"]
    return request_id


def test_a_request_to_a_broken_twin_shows_its_wait_and_its_attempts(page: Any) -> None:
    break_twin(page, "500 before it acts")
    submit(page, "create_product", {"name": "Slow book"})
    page.get_by_label("Path").get_by_text("attempt 2").wait_for()
    page.get_by_text("The next attempt").wait_for()
    go(page, "Now")
    page.locator(".rows button", has_text="retrying").get_by_text("after").first.wait_for()
    heal_twin(page)
    go(page, "Requests")
    page.locator(".rows button", has_text="attempts").and_(
        page.locator(".rows button", has_text="succeeded")
    ).first.wait_for()


def test_a_declined_card_shows_its_error_and_its_error_flow(page: Any) -> None:
    submit(page, "create_payment_intent", DECLINED)
    assert wait_for_end(page) == "failed"
    page.get_by_text("Your card was declined").first.wait_for()
    page.get_by_label("Path").get_by_text("flow new_create_payment_intent_error").wait_for()


def test_a_dead_letter_is_redriven_after_a_dry_run(page: Any, stack: LocalStack) -> None:
    break_twin(page, "500 for good")
    request_id = send(stack, "given up")
    go(page, "Repair")
    page.get_by_text(request_id).first.wait_for()
    heal_twin(page)
    go(page, "Repair")
    redrive = page.get_by_role("button", name="Redrive")
    assert redrive.is_disabled()
    page.get_by_role("button", name="Dry run", exact=True).click()
    page.get_by_role("button", name=re.compile(r"Redrive \d+ message")).click()
    page.goto(f"{page.url.split('#')[0]}#request/{request_id}")
    page.locator("main p .status.succeeded").wait_for()


def test_a_dead_flow_runs_again_once_its_script_is_mended(page: Any, flows: Path) -> None:
    submit(page, "create_tax_rate", {"display_name": "VAT", "inclusive": False, "percentage": 20})
    page.get_by_label("Path").get_by_text("dead").first.wait_for()
    story = page.url
    go(page, "Repair")
    page.get_by_text("the shop's database is away").first.wait_for()
    (flows / "mended").touch()
    page.get_by_role("button", name="Run new_create_tax_rate_response").click()
    page.get_by_role("status", name="Answer").get_by_text("rerun").first.wait_for()
    page.goto(story)
    page.get_by_label("Path").get_by_text("finished").first.wait_for()


def test_an_unknown_outcome_says_what_would_prove_it(page: Any, stack: LocalStack) -> None:
    break_twin(page, "500 for good")
    request_id = send(stack, "in doubt")
    go(page, "Repair")
    page.locator(".rows button", has_text="reconcile finds its object").first.wait_for()
    page.goto(f"{page.url.split('#')[0]}#request/{request_id}")
    page.get_by_text("Proven by:").wait_for()
    heal_twin(page)
    go(page, "Repair")
    page.get_by_role("button", name="Settle now").click()
    page.get_by_role("status", name="Answer").get_by_text("counts").wait_for()


def test_one_lane_is_paused_and_resumed(page: Any, stack: LocalStack) -> None:
    go(page, "Limits")
    page.get_by_label("Lane").select_option("batch")
    page.get_by_role("button", name="Pause").click()
    page.locator("p.wait", has_text="lane batch paused").wait_for()
    held = send(stack, "held back", lane="batch")
    free = send(stack, "not held back")
    start = page.url.split("#")[0]
    page.goto(f"{start}#request/{free}")
    assert wait_for_end(page) == "succeeded"
    page.goto(f"{start}#request/{held}")
    page.locator("p.wait", has_text="lane batch paused").wait_for()
    go(page, "Limits")
    page.get_by_label("Lane").select_option("batch")
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("No pause, no open breaker.").wait_for()


def test_a_limit_of_an_account_is_a_gauge(page: Any, stack: LocalStack) -> None:
    send(stack, "measured")
    go(page, "Limits")
    page.get_by_text("breaker: closed").first.wait_for()
    page.locator(".gauge", has_text="all operations").first.wait_for()


def test_a_search_finds_a_request_by_its_context_and_by_its_stripe_id(
    page: Any, stack: LocalStack
) -> None:
    from playwright.sync_api import expect

    request_id = send(stack, "a needle")
    page.goto(f"{page.url.split('#')[0]}#request/{request_id}")
    wait_for_end(page)
    go(page, "Requests")
    search = page.get_by_role("searchbox")
    search.fill("A NEEDLE")
    rows = page.locator(".rows button")
    found = rows.filter(has_text="a needle").filter(has_text="prod_")
    found.wait_for()
    stripe_id = next(word for word in found.inner_text().split() if word.startswith("prod_"))
    search.fill(stripe_id)
    expect(rows).to_have_count(1)
