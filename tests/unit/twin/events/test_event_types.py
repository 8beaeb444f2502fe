"""Each write causes the events that Stripe has for it, at its execution."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

import pytest
import stripe as library

from paydispatch.twin.accounts import Account
from paydispatch.twin.events.types import ACTS, ROWS

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

PAID = (
    "amount=2000&currency=usd&confirm=true&payment_method={}&return_url=https://shop.example/done"
)
GOOD, DECLINED, CHALLENGED = (
    PAID.format(card)
    for card in (
        "pm_card_visa",
        "pm_card_visa_chargeDeclined",
        "pm_card_authenticationRequired",
    )
)


def take_events(client: Client) -> list[dict[str, Any]]:
    """Return the events since the last call, oldest first."""
    found: list[dict[str, Any]] = client.get("/v1/events", "limit=100").json["data"]
    client.twin.events.forget()
    return found[::-1]


def take_types(client: Client) -> list[str]:
    return [event["type"] for event in take_events(client)]


def make(client: Client, path: str, form: str = "") -> str:
    """Create an object, drop its events and return its id."""
    reply = client.post(path, form)
    assert reply.status == 200, reply.json
    take_events(client)
    return str(reply.json["id"])


@pytest.mark.parametrize(
    ("form", "types"),
    [
        ("amount=2000&currency=usd", ["payment_intent.created"]),
        (GOOD, ["payment_intent.created", "payment_intent.succeeded", "charge.succeeded"]),
        (CHALLENGED, ["payment_intent.created", "payment_intent.requires_action"]),
        (DECLINED, ["payment_intent.created", "payment_intent.payment_failed", "charge.failed"]),
        (
            f"{GOOD}&capture_method=manual",
            [
                "payment_intent.created",
                "payment_intent.amount_capturable_updated",
                "charge.succeeded",
            ],
        ),
    ],
)
def test_a_payment_intent_has_the_events_of_the_state_that_its_create_leaves(
    strict_stripe: Client, form: str, types: list[str]
) -> None:
    strict_stripe.post("/v1/payment_intents", form)
    assert take_types(strict_stripe) == types


def test_a_capture_has_the_events_of_the_intent_and_of_its_charge(strict_stripe: Client) -> None:
    intent = make(strict_stripe, "/v1/payment_intents", f"{GOOD}&capture_method=manual")
    strict_stripe.post(f"/v1/payment_intents/{intent}/capture")
    assert take_types(strict_stripe) == ["charge.captured", "payment_intent.succeeded"]


def test_a_confirm_that_is_declined_has_the_events_of_the_failure(strict_stripe: Client) -> None:
    intent = make(strict_stripe, "/v1/payment_intents", "amount=2000&currency=usd")
    card = "payment_method=pm_card_visa_chargeDeclined&return_url=https://shop.example/done"
    assert strict_stripe.post(f"/v1/payment_intents/{intent}/confirm", card).status == 402
    assert sorted(take_types(strict_stripe)) == ["charge.failed", "payment_intent.payment_failed"]


@pytest.mark.parametrize(
    ("path", "form", "act", "act_form", "types"),
    [
        ("payment_intents", "amount=200&currency=usd", "/cancel", "", ["payment_intent.canceled"]),
        ("setup_intents", "", "/cancel", "", ["setup_intent.canceled"]),
        ("customers", "name=Ann", "", "name=Bea", ["customer.updated"]),
        ("products", "name=Tea", "", "name=Mate", ["product.updated"]),
        ("coupons", "percent_off=5", "", "name=Five", ["coupon.updated"]),
        ("invoices", "customer=cus_1", "/send", "", ["invoice.updated", "invoice.sent"]),
        ("invoices", "customer=cus_1", "", "description=Tea", ["invoice.updated"]),
    ],
)
def test_a_change_has_the_event_of_its_object(
    stripe: Client, path: str, form: str, act: str, act_form: str, types: list[str]
) -> None:
    made = make(stripe, f"/v1/{path}", form)
    stripe.post(f"/v1/{path}/{made}{act}", act_form)
    assert set(types) <= set(take_types(stripe))


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("checkout/sessions", "mode=payment&success_url=https://shop.example"),
        ("payment_links", "line_items[0][price]=price_1&line_items[0][quantity]=1"),
        ("payment_intents/pi_1", "description=Tea"),
        ("invoices/create_preview", "customer=cus_1"),
        ("tokens", "pii[id_number]=1"),
        ("account_links", "account=acct_1&type=account_onboarding"),
    ],
)
def test_a_write_without_a_type_of_event_causes_none(stripe: Client, path: str, form: str) -> None:
    assert stripe.post(f"/v1/{path}", form).status == 200
    assert take_types(stripe) == []


def test_an_object_that_a_lenient_twin_makes_up_was_always_there(stripe: Client) -> None:
    stripe.post("/v1/payment_intents/pi_1/cancel")
    assert take_types(stripe) == ["payment_intent.canceled"]
    stripe.post("/v1/customers/cus_1", "name=Ann")
    assert take_types(stripe) == ["customer.updated"]


@pytest.mark.parametrize("path", ["identity/verification_sessions", "payouts"])
def test_a_new_object_has_not_ended(stripe: Client, path: str) -> None:
    stripe.post(f"/v1/{path}", "type=document" if "identity" in path else "amount=5&currency=usd")
    [created] = take_types(stripe)
    assert created.endswith(".created")


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("reviews/prv_1/approve", "review.closed"),
        ("disputes/dp_1/close", "charge.dispute.closed"),
        ("billing/meters/mtr_1/reactivate", "billing.meter.reactivated"),
        ("identity/verification_sessions/vs_1/cancel", "identity.verification_session.canceled"),
        ("treasury/outbound_payments/obp_1/cancel", "treasury.outbound_payment.canceled"),
        ("quotes/qt_1/accept", "quote.accepted"),
        ("topups/tu_1/cancel", "topup.canceled"),
    ],
)
def test_an_act_that_ends_an_object_has_the_event_of_the_end(
    stripe: Client, path: str, type_: str
) -> None:
    assert stripe.post(f"/v1/{path}").status == 200
    assert take_types(stripe) == [type_]


def test_a_subscription_has_the_events_of_its_invoice_and_payment_too(stripe: Client) -> None:
    items = (
        "customer=cus_1&items[0][price_data][unit_amount]=500&items[0][price_data][currency]=usd"
    )
    rest = "&items[0][price_data][product]=prod_1&items[0][price_data][recurring][interval]=month"
    stripe.post("/v1/subscriptions", items + rest)
    types = take_types(stripe)
    assert types[:2] == ["price.created", "customer.subscription.created"]
    assert {"invoice.created", "invoice.paid", "payment_intent.succeeded"} <= set(types)


def test_a_canceled_subscription_is_a_deleted_one(stripe: Client) -> None:
    stripe.finish(stripe.start("DELETE", "/v1/subscriptions/sub_1"))
    assert take_types(stripe) == ["customer.subscription.deleted"]


def test_the_event_of_a_delete_has_the_object_as_it_was(stripe: Client) -> None:
    coupon = make(stripe, "/v1/coupons", "percent_off=5&name=Five")
    stripe.finish(stripe.start("DELETE", f"/v1/coupons/{coupon}", idempotency_key="ignored"))
    [event] = take_events(stripe)
    assert (event["type"], event["data"]["object"]["name"]) == ("coupon.deleted", "Five")
    assert event["request"]["idempotency_key"] is None


def test_an_event_has_the_form_of_the_pinned_version(stripe: Client) -> None:
    reply = stripe.post("/v1/customers", "name=Ann", idempotency_key="key-1")
    [event] = take_events(stripe)
    assert event.pop("id").startswith("evt_")
    assert event == {
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": reply.json["created"],
        "data": {"object": reply.json},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": reply.headers["Request-Id"], "idempotency_key": "key-1"},
        "type": "customer.created",
    }


def test_an_update_tells_the_previous_values_of_the_changed_fields_alone(stripe: Client) -> None:
    customer = make(stripe, "/v1/customers", "name=Ann&metadata[a]=1&metadata[b]=2")
    stripe.post(f"/v1/customers/{customer}", "name=Bea&metadata[b]=3&metadata[c]=4")
    [event] = take_events(stripe)
    previous = {"name": "Ann", "metadata": {"b": "2", "c": None}}
    assert event["data"]["previous_attributes"] == previous
    assert event["data"]["object"]["name"] == "Bea"


def test_an_update_that_changes_nothing_causes_no_event(stripe: Client) -> None:
    customer = make(stripe, "/v1/customers", "name=Ann")
    stripe.post(f"/v1/customers/{customer}", "name=Ann")
    assert take_types(stripe) == []


def test_an_event_keeps_the_object_of_its_moment(stripe: Client) -> None:
    reply = stripe.post("/v1/customers", "name=Ann")
    stripe.post(f"/v1/customers/{reply.json['id']}", "name=Bea")
    assert [event["data"]["object"]["name"] for event in take_events(stripe)] == ["Ann", "Bea"]


def test_a_field_that_stripe_shows_on_request_is_not_in_an_event(stripe: Client) -> None:
    stripe.post("/v1/invoices", "customer=cus_1")
    [event] = take_events(stripe)
    assert "payments" not in event["data"]["object"]


def test_a_replay_causes_no_second_event(stripe: Client) -> None:
    for _ in range(2):
        stripe.post("/v1/customers", "name=Ann", idempotency_key="key-1")
    assert take_types(stripe) == ["customer.created"]


@pytest.mark.parametrize("kind", ["lost_answer", "cut_off", "hang", "not_json"])
def test_a_lost_answer_loses_no_event(stripe: Client, kind: str) -> None:
    stripe.fault({"kind": kind, "when": "after"})
    stripe.start("POST", "/v1/customers", "name=Ann", idempotency_key="key-1")
    stripe.twin.faults.clear()
    assert take_types(stripe) == ["customer.created"]


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_call_that_is_not_executed_causes_no_event(stripe: Client, when: str) -> None:
    stripe.fault({"kind": "status", "when": when, "status": 500}, times=1)
    stripe.post("/v1/customers", "name=Ann")
    assert take_types(stripe) == []


def test_a_refused_call_causes_no_event(strict_stripe: Client) -> None:
    strict_stripe.post("/v1/refunds", "payment_intent=pi_none")
    assert take_types(strict_stripe) == []


def test_an_event_of_a_connected_account_names_it(stripe: Client) -> None:
    stripe.post("/v1/customers", "name=Ann", stripe_account="acct_9")
    assert stripe.get("/v1/events").json["data"] == []
    [event] = stripe.get("/v1/events", stripe_account="acct_9").json["data"]
    assert event["account"] == "acct_9"


def test_an_automatic_event_names_no_request(stripe: Client) -> None:
    account = stripe.get("/v1/account").json["id"]
    stripe.twin.put(Account(account, livemode=False), "dispute", {"charge": "ch_1", "amount": 500})
    [event] = take_events(stripe)
    assert event["type"] == "charge.dispute.created"
    assert event["request"] == {"id": None, "idempotency_key": None}


def test_every_type_of_the_table_is_one_of_the_official_library() -> None:
    known = set(typing.get_args(typing.get_type_hints(library.Event)["type"]))
    assert known
    types = {
        f"{row.prefix}.{name}"
        for row in ROWS.values()
        for names in (row.plain, *row.moves.values())
        for name in names.split()
    } | {act for _, act in ACTS.values()}
    assert types - known == set()


def test_no_type_is_reached_by_two_rows() -> None:
    prefixes = [row.prefix for kind, row in ROWS.items() if kind not in ("card", "bank_account")]
    assert len(prefixes) == len(set(prefixes))
