"""The fixtures of the pytest plugin, in a project of a user: its own folder, its own flows, and no conftest of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

pytest_plugins = ["pytester"]

OTHERS_OFF = ("-p", "no:asyncio", "-p", "no:schemathesis", "-p", "no:xdist")
"""The plugins of our own tests."""

FLOW = """
def run(parsed_data, flow):
    flow.log.info("made %s", parsed_data["id"])
    flow.new_price().product(parsed_data["id"]).unit_amount(1500).currency("usd").create_async()
"""

ALONE = """
import stripe

def client(twin):
    return stripe.StripeClient("sk_test_shop", base_addresses={"api": twin.base_url}, max_network_retries=0)

def test_an_effect_is_counted(stripe_twin):
    client(stripe_twin).v1.products.create({"name": "Tea"})
    stripe_twin.assert_effects(1, "create_product")
    assert stripe_twin.effects()[0]["params"] == {"name": "Tea"}

def test_each_test_has_an_empty_twin(stripe_twin):
    stripe_twin.assert_effects(0)

def test_a_lost_answer_is_an_effect(stripe_twin):
    stripe_twin.lose_next_answer("create_product")
    try:
        client(stripe_twin).v1.products.create({"name": "Tea"})
    except stripe.APIConnectionError:
        pass
    stripe_twin.assert_effects(1)

def test_a_card_is_declined(stripe_twin):
    stripe_twin.decline_next("insufficient_funds")
    try:
        client(stripe_twin).v1.payment_intents.create({"amount": 2000, "currency": "usd"})
    except stripe.CardError as error:
        assert (error.code, error.error.decline_code) == ("card_declined", "insufficient_funds")
    else:
        raise AssertionError("not declined")

def test_objects_and_the_clock_are_set_beforehand(stripe_twin):
    stripe_twin.put("customer", id="cus_1", key="sk_test_shop")
    stripe_twin.advance(3600)
    assert client(stripe_twin).v1.customers.retrieve("cus_1").id == "cus_1"
"""

WHOLE = """
from paydispatch import Dispatcher, new_product

WHERE = ("worker-1", "context-1", "sk_test_shop")

def test_a_lost_answer_is_one_effect_and_one_flow(stripe_twin, paydispatch_stack):
    stripe_twin.lose_next_answer("create_product")
    with Dispatcher.from_env():
        receipt = new_product().name("Tea").create_async(*WHERE)
    line = paydispatch_stack.wait_for_flow(receipt)
    assert line["flow"] == "new_create_product_response"
    stripe_twin.assert_effects(1, "create_product")

def test_a_refusal_ends_in_the_error_flow(stripe_twin, paydispatch_stack):
    stripe_twin.refuse_next("create_product")
    with Dispatcher.http(paydispatch_stack.api_url):
        receipt = new_product().name("Tea").create_async(*WHERE)
    assert paydispatch_stack.wait_for_flow(receipt)["flow"] == "any_error"
"""

KILLED = """
import os
import time
from pathlib import Path

from paydispatch import Dispatcher, new_coupon, new_product

def test_the_flow_of_a_killed_worker_runs_again(paydispatch_stack):
    with Dispatcher.from_env():
        coupon = new_coupon().percent_off(5).duration("once")
        receipt = coupon.create_async("worker-1", "killed", "sk_test_shop")
    until = time.monotonic() + 30
    while not Path(os.environ["BEGUN"]).exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    paydispatch_stack.kill_worker()
    assert paydispatch_stack.wait_for_flow(receipt, timeout_s=60)["attempt"] == 2

def test_what_went_wrong_is_shown(stripe_twin, paydispatch_stack):
    stripe_twin.refuse_next("create_product", code="product_refused")
    with Dispatcher.from_env():
        receipt = new_product().name("Tea").create_async("worker-1", "refused", "sk_test_shop")
    paydispatch_stack.wait_for_flow(receipt)
    raise AssertionError("nothing else says why")
"""

HANGS_ONCE = """
import os
import time
from pathlib import Path

def run(parsed_data, flow):
    if flow.attempt == 1:
        Path(os.environ["BEGUN"]).touch()
        time.sleep(60)
"""


def write_project(pytester: pytest.Pytester, test: str) -> None:
    pytester.makeini("[pytest]\npaydispatch_flows = shop_flows\nfilterwarnings = error\n")
    folder = pytester.mkdir("shop_flows")
    (folder / "new_create_product_response.py").write_text(FLOW)
    (folder / "any_response.py").write_text("def run(parsed_data, flow): ...\n")
    (folder / "any_error.py").write_text("def run(parsed_error, flow): ...\n")
    pytester.makepyfile(test)


def run(pytester: pytest.Pytester) -> Mapping[str, int]:
    result = pytester.runpytest_subprocess(*OTHERS_OFF)
    return result.parseoutcomes()


def test_a_twin_alone_serves_the_official_library(pytester: pytest.Pytester) -> None:
    write_project(pytester, ALONE)
    assert run(pytester) == {"passed": 5}


def test_a_whole_stack_runs_the_flows_of_the_project(pytester: pytest.Pytester) -> None:
    """Run the tests above, and that of the page on testing, with one stack."""
    page = (Path(__file__).parents[3] / "docs/testing.md").read_text("utf-8")
    (shown,) = (
        part for part in page.split("```python\n") if "paydispatch_stack.wait" in part[:600]
    )
    write_project(pytester, WHOLE)
    pytester.makepyfile(test_of_the_page=shown.split("```")[0])
    assert run(pytester) == {"passed": 3}


def test_a_worker_is_killed_and_a_failed_test_shows_the_errors_of_the_stack(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEGUN", str(pytester.path / "begun"))
    monkeypatch.setenv("FLOW_TIMEOUT_S", "3")
    write_project(pytester, KILLED)
    (pytester.path / "shop_flows" / "new_create_coupon_response.py").write_text(HANGS_ONCE)

    result = pytester.runpytest_subprocess(*OTHERS_OFF)

    assert result.parseoutcomes() == {"passed": 1, "failed": 1}
    result.stdout.fnmatch_lines(
        ["*Captured stderr teardown*", "*ended in an error (api error product_refused*"]
    )


def test_a_missing_folder_of_flows_is_named(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(paydispatch_stack): ...")
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*There is no folder *flows with flow scripts*paydispatch_flows*"])
