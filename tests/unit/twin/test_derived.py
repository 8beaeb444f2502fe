"""The objects that follow from a create can be fetched, and agree with its answer."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.schema.typed_bodies import SHORT_TEXTS, TypedBodies

from paydispatch.domain.form_encoding import encode
from paydispatch.domain.stripe.resources import RESOURCES, Resource, resource_named
from paydispatch.twin.objects.addresses import addresses
from paydispatch.twin.objects.expandable import references

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.twin.conftest import Client

BODIES = 40
EVERY_OBJECT = pytest.mark.parametrize("resource", RESOURCES, ids=lambda row: row.name)
OURS = {row.name: row.endpoint for row in RESOURCES}
ADDRESSES = OURS | {
    kind: address for address, kinds in addresses().items() for kind in kinds if "{" not in address
}


def post(stripe: Client, path: str, form: Any) -> Any:
    reply = stripe.post(path, form)
    assert reply.status == 200, reply.text
    return reply.json


def get(stripe: Client, path: str, query: Any = "") -> Any:
    reply = stripe.get(path, query)
    assert reply.status == 200, (path, reply.text)
    return reply.json


def customer(stripe: Client, **form: str) -> str:
    made: str = post(stripe, "/v1/customers", form)["id"]
    return made


def price(stripe: Client, amount: int = 500) -> str:
    form = {"currency": "usd", "unit_amount": amount, "recurring[interval]": "month"}
    made: str = post(stripe, "/v1/prices", {**form, "product_data[name]": "Tea"})["id"]
    return made


def subscribe(stripe: Client, **form: str) -> Any:
    whole = {
        "customer": form.pop("customer", None) or customer(stripe),
        "items[0][price]": price(stripe),
        "items[0][quantity]": "2",
        **form,
    }
    return post(stripe, "/v1/subscriptions", whole)


INTENT = {"amount": "2000", "currency": "usd", "metadata[order]": "7"}
PAID = {**INTENT, "confirm": "true", "payment_method": "pm_card_visa"}


# Payment intents and refunds


def test_a_paid_payment_intent_has_a_charge_with_its_balance_transaction(stripe: Client) -> None:
    intent = post(stripe, "/v1/payment_intents", PAID)
    charge = get(stripe, f"/v1/charges/{intent['latest_charge']}")
    assert (charge["object"], charge["status"], charge["captured"]) == ("charge", "succeeded", True)
    assert (charge["payment_intent"], charge["amount"]) == (intent["id"], 2000)
    assert charge["metadata"] == intent["metadata"] == {"order": "7"}
    entry = get(stripe, f"/v1/balance_transactions/{charge['balance_transaction']}")
    assert (entry["source"], entry["amount"], entry["fee"]) == (charge["id"], 2000, 88)
    assert entry["net"] == 1912
    assert get(stripe, "/v1/charges", f"payment_intent={intent['id']}")["data"] == [charge]


def test_an_authorized_charge_is_not_captured_and_has_no_balance_transaction(
    stripe: Client,
) -> None:
    intent = post(stripe, "/v1/payment_intents", {**PAID, "capture_method": "manual"})
    charge = get(stripe, f"/v1/charges/{intent['latest_charge']}")
    assert (charge["captured"], charge["balance_transaction"]) == (False, None)


def test_a_declined_payment_intent_has_a_failed_charge(stripe: Client) -> None:
    reply = stripe.post("/v1/payment_intents", {**PAID, "payment_method": "pm_card_chargeDeclined"})
    assert reply.status == 402
    charge = get(stripe, f"/v1/charges/{reply.error['charge']}")
    assert (charge["status"], charge["failure_code"], charge["paid"]) == (
        "failed",
        "card_declined",
        False,
    )
    intent = get(stripe, f"/v1/payment_intents/{charge['payment_intent']}")
    assert intent["latest_charge"] == charge["id"]
    assert intent == reply.error["payment_intent"]


@pytest.mark.parametrize("form", [INTENT, {**INTENT, "payment_method": "pm_card_visa"}])
def test_an_unconfirmed_payment_intent_has_no_charge(stripe: Client, form: Any) -> None:
    assert post(stripe, "/v1/payment_intents", form)["latest_charge"] is None


@pytest.mark.parametrize(
    ("form", "card"),
    [
        ({"payment_method": "pm_card_mastercard"}, ("mastercard", "4444")),
        (
            {"payment_method_data[type]": "card", "payment_method_data[card][token]": "tok_amex"},
            ("amex", "8431"),
        ),
        ({"payment_method_data[type]": "card"}, ("visa", "4242")),
    ],
)
def test_a_payment_method_that_the_create_makes_can_be_fetched(
    stripe: Client, form: dict[str, str], card: tuple[str, str]
) -> None:
    intent = post(stripe, "/v1/payment_intents", {**INTENT, **form})
    method = get(stripe, f"/v1/payment_methods/{intent['payment_method']}")
    assert (method["object"], method["type"]) == ("payment_method", "card")
    assert (method["card"]["brand"], method["card"]["last4"]) == card
    assert intent["status"] == "requires_confirmation"


def test_a_payment_method_of_another_type_keeps_its_billing_details(stripe: Client) -> None:
    data = {"type": "sepa_debit", "sepa_debit][iban": "DE1", "billing_details][name": "Ada"}
    form = {f"payment_method_data[{name}]": value for name, value in data.items()}
    intent = post(stripe, "/v1/payment_intents", {**INTENT, **form, "currency": "eur"})
    method = get(stripe, f"/v1/payment_methods/{intent['payment_method']}")
    assert (method["type"], method["billing_details"]["name"]) == ("sepa_debit", "Ada")


@pytest.mark.parametrize("by", ["payment_intent", "charge"])
def test_a_refund_names_the_charge_and_the_payment_intent(stripe: Client, by: str) -> None:
    intent = post(stripe, "/v1/payment_intents", PAID)
    named = {"payment_intent": intent["id"], "charge": intent["latest_charge"]}
    refund = post(stripe, "/v1/refunds", {by: named[by], "amount": "500"})
    assert {name: refund[name] for name in named} == named
    entry = get(stripe, f"/v1/balance_transactions/{refund['balance_transaction']}")
    assert (entry["amount"], entry["type"], entry["source"]) == (-500, "refund", refund["id"])


def test_a_refund_of_a_charge_is_by_default_of_its_whole_amount(stripe: Client) -> None:
    charge = post(stripe, "/v1/payment_intents", {**PAID, "currency": "eur"})["latest_charge"]
    refund = post(stripe, "/v1/refunds", {"charge": charge})
    assert (refund["amount"], refund["currency"]) == (2000, "eur")


# Subscriptions


def test_default_incomplete_leaves_an_open_invoice_with_the_secret_of_its_payment_intent(
    strict_stripe: Client,
) -> None:
    form = {
        "payment_behavior": "default_incomplete",
        "expand[0]": "latest_invoice.confirmation_secret",
        "expand[1]": "latest_invoice.payments.data.payment",
    }
    subscription = subscribe(strict_stripe, **form)
    invoice = subscription["latest_invoice"]
    assert (subscription["status"], invoice["status"]) == ("incomplete", "open")
    assert (invoice["amount_due"], invoice["amount_paid"]) == (1000, 0)
    payment = invoice["payments"]["data"][0]
    intent = get(strict_stripe, f"/v1/payment_intents/{payment['payment']['payment_intent']}")
    assert (intent["status"], intent["amount"]) == ("requires_payment_method", 1000)
    assert invoice["confirmation_secret"] == {
        "client_secret": intent["client_secret"],
        "type": "payment_intent",
    }
    shown = get(strict_stripe, f"/v1/invoices/{invoice['id']}", "expand[]=payments")
    assert shown["payments"] == invoice["payments"]
    assert get(strict_stripe, f"/v1/invoice_payments/{payment['id']}") == payment


def test_what_stripe_shows_on_request_is_hidden_without_it(stripe: Client) -> None:
    subscription = subscribe(stripe, payment_behavior="default_incomplete")
    invoice = get(stripe, f"/v1/invoices/{subscription['latest_invoice']}")
    assert not {"confirmation_secret", "payments"} & invoice.keys()
    shown = get(stripe, f"/v1/subscriptions/{subscription['id']}", "expand[]=latest_invoice")
    assert shown["latest_invoice"] == invoice


def test_the_first_invoice_of_an_active_subscription_is_paid(strict_stripe: Client) -> None:
    subscription = subscribe(strict_stripe, default_payment_method="pm_card_visa")
    query = "expand[]=payments.data.payment.payment_intent"
    invoice = get(strict_stripe, f"/v1/invoices/{subscription['latest_invoice']}", query)
    assert (invoice["status"], invoice["amount_paid"]) == ("paid", 1000)
    assert invoice["parent"]["subscription_details"]["subscription"] == subscription["id"]
    intent = invoice["payments"]["data"][0]["payment"]["payment_intent"]
    assert (intent["status"], intent["customer"]) == ("succeeded", subscription["customer"])
    assert get(strict_stripe, f"/v1/charges/{intent['latest_charge']}")["amount"] == 1000
    (line,) = get(strict_stripe, f"/v1/invoices/{invoice['id']}/lines")["data"]
    assert (line["amount"], line["quantity"]) == (1000, 2)


def test_a_trial_has_a_free_invoice_and_a_setup_intent(stripe: Client) -> None:
    subscription = subscribe(stripe, trial_period_days="14", payment_behavior="default_incomplete")
    assert subscription["status"] == "trialing"
    invoice = get(stripe, f"/v1/invoices/{subscription['latest_invoice']}", "expand[]=payments")
    assert (invoice["status"], invoice["amount_due"]) == ("paid", 0)
    assert invoice["payments"]["data"] == []
    setup = get(stripe, f"/v1/setup_intents/{subscription['pending_setup_intent']}")
    assert (setup["customer"], setup["status"]) == (
        subscription["customer"],
        "requires_payment_method",
    )


@pytest.mark.parametrize(
    "form", [{}, {"trial_period_days": "14", "default_payment_method": "pm_card_visa"}]
)
def test_a_subscription_that_needs_no_payment_method_has_no_setup_intent(
    stripe: Client, form: dict[str, str]
) -> None:
    assert subscribe(stripe, **form)["pending_setup_intent"] is None


def test_a_trial_that_ends_now_is_none(stripe: Client) -> None:
    assert subscribe(stripe, trial_end="now")["status"] == "active"
    form = {"trial_end": "now", "payment_behavior": "default_incomplete"}
    assert subscribe(stripe, **form)["status"] == "incomplete"


def test_nothing_is_incomplete_without_an_amount(stripe: Client) -> None:
    post(stripe, "/v1/coupons", {"id": "FREE", "percent_off": "100", "duration": "once"})
    form = {"payment_behavior": "default_incomplete", "discounts[0][coupon]": "FREE"}
    subscription = subscribe(stripe, **form)
    assert subscription["status"] == "active"
    assert subscription["pending_setup_intent"] is not None


def test_an_invoice_that_is_sent_is_a_draft_without_a_payment(stripe: Client) -> None:
    form = {"collection_method": "send_invoice", "days_until_due": "30"}
    subscription = subscribe(stripe, **form, payment_behavior="default_incomplete")
    invoice = get(stripe, f"/v1/invoices/{subscription['latest_invoice']}")
    assert (subscription["status"], invoice["status"], invoice["number"]) == (
        "active",
        "draft",
        None,
    )


def test_the_items_of_a_subscription_can_be_fetched_and_listed(stripe: Client) -> None:
    subscription = subscribe(stripe)
    (item,) = subscription["items"]["data"]
    assert get(stripe, f"/v1/subscription_items/{item['id']}") == item
    path, _, query = subscription["items"]["url"].partition("?")
    assert get(stripe, path, query)["data"] == [item]


def test_an_embedded_price_is_the_price_and_shows_its_tiers_on_request(stripe: Client) -> None:
    form = {
        "currency": "usd",
        "product_data[name]": "Tea",
        "recurring[interval]": "month",
        "billing_scheme": "tiered",
        "tiers_mode": "graduated",
        "tiers[0][up_to]": "inf",
        "tiers[0][unit_amount]": "5",
    }
    tiered = post(stripe, "/v1/prices", form)
    form = {"items[0][price]": tiered["id"], "expand[]": "items.data.price.tiers"}
    made = subscribe(stripe, **form)
    shown = get(stripe, f"/v1/prices/{tiered['id']}", "expand[]=tiers")
    assert made["items"]["data"][0]["price"] == shown
    assert len(shown["tiers"]) == 1
    kept = get(stripe, f"/v1/subscriptions/{made['id']}")
    assert kept["items"]["data"][0]["price"] == tiered


# Customers, Checkout, payment links


def test_a_customers_payment_method_is_attached(stripe: Client) -> None:
    form = {
        "payment_method": "pm_card_visa",
        "invoice_settings[default_payment_method]": "pm_card_visa",
    }
    made = post(stripe, "/v1/customers", form)
    (method,) = get(stripe, f"/v1/customers/{made['id']}/payment_methods")["data"]
    assert made["invoice_settings"]["default_payment_method"] == method["id"]
    assert (method["customer"], method["card"]["last4"]) == (made["id"], "4242")
    assert get(stripe, f"/v1/payment_methods/{method['id']}") == method
    assert get(stripe, f"/v1/customers/{made['id']}/payment_methods/{method['id']}") == method


def test_a_customers_source_is_a_card(stripe: Client) -> None:
    made = post(stripe, "/v1/customers", "source=tok_mastercard")
    card = get(stripe, f"/v1/customers/{made['id']}/sources/{made['default_source']}")
    assert (card["object"], card["last4"], card["customer"]) == ("card", "4444", made["id"])
    assert get(stripe, f"/v1/customers/{made['id']}/sources")["data"] == [card]
    other = customer(stripe)
    assert stripe.get(f"/v1/customers/{other}/sources/{card['id']}").status == 404


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1/checkout/sessions", {"mode": "subscription", "success_url": "https://a.example"}),
        ("/v1/payment_links", {}),
    ],
)
def test_line_items_are_a_list_of_their_own(stripe: Client, path: str, form: Any) -> None:
    items = {
        f"line_items[{n}][{name}]": value
        for n in range(3)
        for name, value in (("price", price(stripe)), ("quantity", "1"))
    }
    made = post(stripe, path, {**form, **items, "expand[]": "line_items"})
    listed = made["line_items"]
    assert get(stripe, listed["url"])["data"] == listed["data"]
    page = get(stripe, listed["url"], "limit=2")
    assert (page["has_more"], page["data"]) == (True, listed["data"][:2])
    rest = get(stripe, listed["url"], {"limit": 2, "starting_after": page["data"][-1]["id"]})
    assert (rest["has_more"], rest["data"]) == (False, listed["data"][2:])
    assert stripe.get(f"{path}/gone/line_items").status == 404


def test_a_session_in_setup_mode_has_a_setup_intent(stripe: Client) -> None:
    form = {"mode": "setup", "currency": "usd", "success_url": "https://a.example"}
    session = post(stripe, "/v1/checkout/sessions", form)
    setup = get(stripe, f"/v1/setup_intents/{session['setup_intent']}")
    assert setup["object"] == "setup_intent"


# All of them


def test_an_object_of_another_account_is_not_found(stripe: Client) -> None:
    intent = post(stripe, "/v1/payment_intents", PAID)
    other = stripe.with_key("sk_test_two")
    assert other.get(f"/v1/charges/{intent['latest_charge']}").status == 404


def test_an_address_without_a_create_takes_no_post(stripe: Client) -> None:
    assert stripe.post("/v1/balance_transactions", "amount=1").status == 404
    assert stripe.get("/v1/charges/ch_none").status == 404


@EVERY_OBJECT
def test_every_id_in_an_answer_can_be_fetched_and_is_of_its_kind(
    stripe: Client, resource: Resource
) -> None:
    bodies = TypedBodies(resource.operation, seed=5)
    fetched = made = 0
    for _ in range(BODIES):
        valid = {**bodies.valid(), "expand": None, "payment_method_types": None}
        body = with_own_ids(valid, itertools.count(made * 1000))
        reply = stripe.post(resource.endpoint, encode(body).decode())
        if reply.status != 200:
            continue
        made += 1
        fetched += fetch_all(stripe, reply.json)
        kept = stripe.get(f"{resource.endpoint}/{reply.json['id']}").json
        assert kept == reply.json
    assert made > BODIES / 4
    assert fetched or resource.name in ("coupon", "product", "price")


def with_own_ids(value: Any, numbers: Iterator[int], name: str = "") -> Any:
    """Return the body with another text in the place of each short one, because objects of two kinds share no id."""
    if isinstance(value, dict):
        return {name: with_own_ids(inner, numbers, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [with_own_ids(inner, numbers, name) for inner in value]
    prefix = "src" if "source" in name else "x"  # the kind of a source is known by its prefix alone
    return f"{prefix}_{next(numbers)}" if value in SHORT_TEXTS else value


def fetch_all(stripe: Client, answer: Any) -> int:
    """Fetch every object that the answer names, and those that they name. Return their number.

    The twin is lenient: an id of the caller that names an object of our own kinds need not exist.
    """
    fetched: set[str] = set()
    waiting = [answer]
    while waiting:
        current = waiting.pop()
        for kinds, named in references(current, current["object"]):
            object_id = named.get("id") if isinstance(named, dict) else named
            if not object_id or object_id in fetched:
                continue  # the twin writes "" for an id that it does not have
            found = [
                (kind, reply.json)
                for kind in kinds
                if kind in ADDRESSES
                for reply in [stripe.get(f"{ADDRESSES[kind]}/{object_id}")]
                if reply.status == 200
            ]
            if not found:
                assert {*kinds} & OURS.keys() or not {*kinds} & ADDRESSES.keys(), (kinds, named)
                continue
            ((kind, whole),) = found
            assert (whole["object"], whole["id"]) == (kind, object_id)
            if isinstance(named, dict):
                assert named == whole
            fetched.add(object_id)
            waiting.append(whole)
    return len(fetched - {answer["id"]})


def test_the_names_of_the_addresses_are_those_of_stripe() -> None:
    assert ADDRESSES["charge"] == "/v1/charges"
    assert resource_named("invoice").endpoint == ADDRESSES["invoice"]
