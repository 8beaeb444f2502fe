"""Try operations in the page: each arrives at the twin, and the form shows the answer of the API first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.console.pages import fill_in, go, stripe_answer, submit, wait_for_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Made = Mapping[str, str]
    """The ids of the objects that were made, by the name of their step."""

    Step = tuple[str, str, Callable[[Made], Mapping[str, Any]], Callable[[Made], Mapping[str, str]]]

CONFIRMED = {
    "amount": 2000,
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "confirm": True,
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
}


def nothing(_: Made) -> Mapping[str, Any]:
    return {}


def given(**params: Any) -> Callable[[Made], Mapping[str, Any]]:
    return lambda _: params


def at(name: str, step: str) -> Callable[[Made], Mapping[str, str]]:
    return lambda made: {name: made[step]}


STEPS: tuple[Step, ...] = (
    ("product", "create_product", given(name="Book"), nothing),
    (
        "price",
        "create_price",
        lambda made: {
            "product": made["product"],
            "currency": "usd",
            "unit_amount": 500,
            "recurring": {"interval": "month"},
        },
        nothing,
    ),
    ("customer", "create_customer", given(name="Ada"), nothing),
    ("", "update_customer", given(name="Ada L."), at("customer", "customer")),
    (
        "card",
        "attach_payment_method",
        lambda made: {"customer": made["customer"]},
        lambda _: {"payment_method": "pm_card_visa"},
    ),
    (
        "subscription",
        "create_subscription",
        lambda made: {
            "customer": made["customer"],
            "items": [{"price": made["price"]}],
            "default_payment_method": made["card"],
        },
        nothing,
    ),
    (
        "",
        "update_subscription",
        given(metadata={"plan": "a"}),
        at("subscription_exposed_id", "subscription"),
    ),
    ("", "cancel_subscription", nothing, at("subscription_exposed_id", "subscription")),
    (
        "held",
        "create_payment_intent",
        given(**CONFIRMED, capture_method="manual"),
        nothing,
    ),
    ("", "capture_payment_intent", given(amount_to_capture=1500), at("intent", "held")),
    ("refund", "create_refund", lambda made: {"payment_intent": made["held"]}, nothing),
    (
        "open",
        "create_payment_intent",
        given(amount=900, currency="usd", payment_method="pm_card_visa"),
        nothing,
    ),
    ("", "update_payment_intent", given(amount=950), at("intent", "open")),
    (
        "",
        "confirm_payment_intent",
        given(return_url="https://shop.example/done"),
        at("intent", "open"),
    ),
    ("dropped", "create_payment_intent", given(amount=700, currency="usd"), nothing),
    ("", "cancel_payment_intent", nothing, at("intent", "dropped")),
    ("setup", "create_setup_intent", given(payment_method="pm_card_visa"), nothing),
    ("", "cancel_setup_intent", nothing, at("intent", "setup")),
    ("invoice", "create_invoice", lambda made: {"customer": made["customer"]}, nothing),
    ("", "finalize_invoice", nothing, at("invoice", "invoice")),
    ("coupon", "create_coupon", given(percent_off=10, duration="once"), nothing),
    ("", "delete_coupon", nothing, at("coupon", "coupon")),
    (
        "",
        "create_payment_link",
        lambda made: {"line_items": [{"price": made["price"], "quantity": 1}]},
        nothing,
    ),
    ("", "detach_payment_method", nothing, at("payment_method", "card")),
    ("", "delete_customer", nothing, at("customer", "customer")),
)
"""The name of each step, its operation, its parameters and the ids of its path, from the objects made before."""


def test_each_deep_operation_is_submitted_and_arrives(page: Any) -> None:
    made: dict[str, str] = {}
    for name, operation, params, ids in STEPS:
        submit(page, operation, params(made), ids(made))
        assert wait_for_end(page) == "succeeded", (operation, page.inner_text("main"))
        if name:
            made[name] = stripe_answer(page)["id"]
    assert len(made) == len([name for name, *_ in STEPS if name])


def test_the_path_of_a_request_has_its_hops_and_the_run_of_its_flow(page: Any) -> None:
    fill_in(page, "create_product", {"name": "Book"})
    page.get_by_label("Context").fill("a context without other requests")
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("button", name="Follow it").click()
    path = page.get_by_label("Path")
    path.get_by_text("flow new_create_product_response").wait_for()
    path.get_by_text("finished").wait_for()
    shown = path.inner_text()
    assert all(hop in shown for hop in ("accepted", "queued", "received", "sent", "answered"))
    assert "req_" in shown


def test_the_form_shows_what_the_api_would_answer_and_sends_nothing(page: Any) -> None:
    fill_in(page, "create_payment_intent", {"amount": "much", "currency": "usd"})
    page.get_by_label("Context").fill("a context of the form")
    answer = page.get_by_label("What the API would answer")
    answer.get_by_text("422").first.wait_for()
    page.get_by_label("amount", exact=True).and_(page.locator("[aria-invalid=true]")).wait_for()
    page.get_by_label("amount", exact=True).fill("2000")
    answer.get_by_text("202").first.wait_for()
    assert "pdr_" in answer.inner_text()
    go(page, "Requests")
    page.get_by_role("searchbox").fill("a context of the form")
    page.get_by_text("No recent request matches.").wait_for()


def test_the_form_has_a_field_for_each_kind_of_parameter(page: Any) -> None:
    fill_in(page, "create_price", {})
    page.get_by_label("currency", exact=True).fill("eur")
    page.get_by_label("Add a parameter").select_option("unit_amount")
    page.get_by_label("unit_amount", exact=True).fill("500")
    page.get_by_label("Add a parameter").select_option("recurring")
    page.get_by_label("recurring[interval]").select_option("month")
    page.get_by_label("Add a parameter").select_option("metadata")
    page.get_by_label("metadata", exact=True).fill("order=1001")
    page.get_by_label("Add a parameter").select_option("active")
    page.get_by_label("active", exact=True).select_option("true")
    written = page.get_by_label("Parameters (JSON)").input_value()
    assert '"unit_amount": 500' in written
    assert '"interval": "month"' in written
    assert '"order": "1001"' in written
    assert '"active": true' in written
