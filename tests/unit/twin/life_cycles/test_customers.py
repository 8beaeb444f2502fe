"""Customers, their payment methods, their balance, and setup intents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.twin.life_cycles.conftest import Till


def test_a_payment_method_is_attached_and_detached(till: Till) -> None:
    customer = till.post("customers")["id"]
    method = till.post("payment_methods", type="card", card={"token": "tok_visa"})
    path = f"payment_methods/{method['id']}"
    assert till.post(f"{path}/attach", customer=customer)["customer"] == customer
    assert till.get("payment_methods", f"customer={customer}")["data"][0]["id"] == method["id"]
    till.post(f"customers/{customer}", invoice_settings={"default_payment_method": method["id"]})
    assert till.post(f"{path}/detach")["customer"] is None
    settings = till.get(f"customers/{customer}")["invoice_settings"]
    assert settings["default_payment_method"] is None
    assert "not attached to a customer" in till.refuse(f"{path}/detach")["message"]


def test_a_test_card_that_is_attached_makes_a_payment_method(till: Till) -> None:
    customer = till.post("customers")["id"]
    method = till.post("payment_methods/pm_card_mastercard/attach", customer=customer)
    assert method["id"] != "pm_card_mastercard"
    assert (method["customer"], method["card"]["brand"]) == (customer, "mastercard")
    assert till.get(f"customers/{customer}/payment_methods/{method['id']}") == method


def test_a_payment_method_is_not_attached_to_an_unknown_customer(till: Till) -> None:
    error = till.refuse("payment_methods/pm_card_visa/attach", customer="cus_none")
    assert (error["code"], error["param"]) == ("resource_missing", "customer")


def test_an_update_names_only_objects_that_exist(till: Till) -> None:
    path = f"payment_intents/{till.intent()['id']}"
    assert till.refuse(path, customer="cus_none")["code"] == "resource_missing"


def test_a_declined_card_is_not_attached(till: Till) -> None:
    customer = till.post("customers")["id"]
    error = till.refuse("payment_methods/pm_card_chargeDeclined/attach", customer=customer)
    assert error["code"] == "card_declined"


def test_a_balance_transaction_changes_the_balance(till: Till) -> None:
    path = f"customers/{till.post('customers')['id']}"
    till.post(f"{path}/balance_transactions", amount=-500, currency="usd")
    made = till.post(f"{path}/balance_transactions", amount=200, currency="usd")
    assert (made["amount"], made["ending_balance"]) == (200, -300)
    assert till.get(path)["balance"] == -300
    assert [each["amount"] for each in till.get(f"{path}/balance_transactions")["data"]] == [
        200,
        -500,
    ]


def test_a_deleted_customer_is_shown_as_deleted_and_takes_no_change(till: Till) -> None:
    customer = till.post("customers")["id"]
    gone = {"id": customer, "object": "customer", "deleted": True}
    assert till.delete(f"customers/{customer}") == gone
    assert till.get(f"customers/{customer}") == gone
    assert till.refuse(f"customers/{customer}", name="Ada")["code"] == "resource_missing"
    assert till.refuse(f"customers/{customer}", method="DELETE")["code"] == "resource_missing"
    assert till.get("customers")["data"] == []


def test_the_end_of_a_customer_is_the_end_of_its_subscriptions(till: Till) -> None:
    subscription = till.subscription(trial_period_days=7)
    till.delete(f"customers/{subscription['customer']}")
    assert till.get(f"subscriptions/{subscription['id']}")["status"] == "canceled"


def test_a_tax_id_belongs_to_its_customer(till: Till) -> None:
    ada, bob = (till.post("customers")["id"] for _ in range(2))
    made = till.post(f"customers/{ada}/tax_ids", type="eu_vat", value="DE123456789")
    assert (made["customer"], made["id"][:4]) == (ada, "txi_")
    assert till.get(f"customers/{ada}/tax_ids")["data"] == [made]
    assert till.refuse(f"customers/{bob}/tax_ids/{made['id']}", method="DELETE")["code"] == (
        "resource_missing"
    )
    till.delete(f"customers/{ada}/tax_ids/{made['id']}")
    assert till.get(f"customers/{ada}/tax_ids")["data"] == []


def test_a_setup_intent_keeps_a_card_for_its_customer(till: Till) -> None:
    customer = till.post("customers")["id"]
    intent = till.post("setup_intents", customer=customer)
    path = f"setup_intents/{intent['id']}"
    done = till.post(f"{path}/confirm", payment_method="pm_card_visa")
    assert done["status"] == "succeeded"
    assert till.get(f"payment_methods/{done['payment_method']}")["customer"] == customer
    refusals = [till.refuse(f"{path}/{act}") for act in ("confirm", "cancel")]
    assert {each["code"] for each in refusals} == {"setup_intent_unexpected_state"}


def test_a_canceled_setup_intent_is_not_confirmed(till: Till) -> None:
    path = f"setup_intents/{till.post('setup_intents')['id']}"
    assert till.post(f"{path}/cancel")["status"] == "canceled"
    error = till.refuse(f"{path}/confirm", payment_method="pm_card_visa")
    assert error["code"] == "setup_intent_unexpected_state"
