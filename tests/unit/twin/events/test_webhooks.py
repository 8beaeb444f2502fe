"""The webhooks of a twin, the signature of an event, and the faults on its way."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import stripe as library
from tests.unit.twin.test_control import call_control, control

from paydispatch.twin.events.delivery_faults import DeliveryFaults, DeliveryShares
from paydispatch.twin.events.signature import sign
from paydispatch.twin.events.webhooks import Webhook
from paydispatch.twin.faults import RuleError

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

HOOK = {"url": "http://127.0.0.1:9/hook", "secret": "whsec_1"}


def test_the_official_library_accepts_the_signature() -> None:
    body = json.dumps({"id": "evt_1", "object": "event"}).encode()
    header = sign(body, "whsec_1", time.time())
    assert library.Webhook.construct_event(body, header, "whsec_1").id == "evt_1"


@pytest.mark.parametrize(
    ("secret", "body", "age_s"),
    [("whsec_2", b"{}", 0), ("whsec_1", b"{ }", 0), ("whsec_1", b"{}", 301)],
)
def test_the_official_library_refuses_another_secret_body_or_time(
    secret: str, body: bytes, age_s: float
) -> None:
    header = sign(b"{}", "whsec_1", time.time() - age_s)
    with pytest.raises(library.SignatureVerificationError):
        library.Webhook.construct_event(body, header, secret)


def test_a_webhook_is_added_listed_without_its_secret_and_removed(stripe: Client) -> None:
    webhook_id = control(stripe, "POST webhooks", {**HOOK, "types": ["invoice.*"]})["id"]
    listed = control(stripe, "GET webhooks")["webhooks"]
    assert [(one["id"], one["types"]) for one in listed] == [(webhook_id, ["invoice.*"])]
    assert "whsec_1" not in json.dumps(listed) + repr(stripe.twin.webhooks.all())
    assert control(stripe, f"DELETE webhooks/{webhook_id}") == {"ok": True}
    assert call_control(stripe, f"DELETE webhooks/{webhook_id}")[0] == 404
    control(stripe, "POST webhooks", HOOK)
    control(stripe, "DELETE webhooks")
    assert control(stripe, "GET webhooks")["webhooks"] == []


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, True),
        ({"types": ["customer.*"]}, True),
        ({"types": ["invoice.*", "charge.succeeded"]}, False),
        ({"account": "acct_other"}, False),
        ({"livemode": True}, False),
        ({"livemode": False}, True),
    ],
)
def test_a_webhook_wants_the_events_of_its_account_mode_and_types(
    stripe: Client, filters: dict[str, Any], wanted: bool
) -> None:
    stripe.post("/v1/customers", "name=Ann")
    [event] = stripe.twin.events.all
    assert Webhook.parse({**HOOK, **filters}, "we_1").wants(event) is wanted


@pytest.mark.parametrize(
    "source",
    [
        {"url": "http://a.example"},
        {"url": "ftp://a.example", "secret": "s"},
        {**HOOK, "types": "invoice.paid"},
        {**HOOK, "color": "red"},
        [],
    ],
)
def test_a_wrong_webhook_is_refused(stripe: Client, source: Any) -> None:
    status, answer = call_control(stripe, "POST webhooks", source)
    assert (status, bool(answer["error"])) == (400, True)


def test_the_faults_of_events_are_set_shown_and_reset(stripe: Client) -> None:
    shown = control(stripe, "PUT event-faults", {"late": 0.5, "late_s": 3})
    assert (shown["late"], shown["late_s"], shown["lost"], shown["counts"]) == (0.5, 3, 0, {})
    assert control(stripe, "GET event-faults") == shown
    control(stripe, "POST reset")
    assert control(stripe, "GET event-faults")["late"] == 0


@pytest.mark.parametrize("faults", [{"late": 2}, {"lost": -1}, {"late_s": "x"}, {"early": 1}])
def test_wrong_faults_of_events_are_refused(stripe: Client, faults: Any) -> None:
    assert call_control(stripe, "PUT event-faults", faults)[0] == 400
    with pytest.raises(RuleError):
        DeliveryShares.parse(faults)


def decide(shares: DeliveryShares, seed: int = 7, count: int = 2000) -> DeliveryFaults:
    faults = DeliveryFaults(seed)
    faults.shares = shares
    for _ in range(count):
        faults.decide()
    return faults


def test_without_shares_every_event_leaves_once_and_at_once() -> None:
    faults = DeliveryFaults(7)
    assert [faults.decide() for _ in range(100)] == [[0.0]] * 100
    assert not faults.counts


@pytest.mark.parametrize("name", ["late", "lost", "twice", "reordered"])
def test_a_share_of_the_events_has_the_fault(name: str) -> None:
    faults = decide(DeliveryShares(**{name: 0.25}))
    assert faults.counts.keys() == {name}
    assert 400 < faults.counts[name] < 600


def test_the_same_seed_gives_the_same_faults() -> None:
    shares = DeliveryShares(late=0.2, lost=0.1, twice=0.2, reordered=0.3)
    one, same, other = DeliveryFaults(7), DeliveryFaults(7), DeliveryFaults(8)
    one.shares = same.shares = other.shares = shares
    drawn = [[faults.decide() for _ in range(50)] for faults in (one, same, other)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_each_fault_sends_the_copies_that_it_should() -> None:
    for shares, copies in (
        (DeliveryShares(lost=1), 0),
        (DeliveryShares(late=1, late_s=9), 1),
        (DeliveryShares(twice=1), 2),
    ):
        faults = DeliveryFaults(7)
        faults.shares = shares
        assert len(faults.decide()) == copies
    late = DeliveryFaults(7)
    late.shares = DeliveryShares(late=1, late_s=9)
    assert late.decide() == [9.0]


def test_all_events_are_listed_over_the_control_api(stripe: Client) -> None:
    for name in ("Ann", "Bea"):
        stripe.with_key(f"sk_test_{name}").post(
            "/v1/customers", f"name={name}", idempotency_key=name
        )
    events = control(stripe, "GET events")["events"]
    assert [event["idempotency_key"] for event in events] == ["Ann", "Bea"]
    assert control(stripe, "GET events?after=1&limit=1")["events"] == events[1:]


def test_a_fault_rule_can_refuse_the_lists_alone(stripe: Client) -> None:
    customer = stripe.post("/v1/customers", "name=Ann").json["id"]
    stripe.fault({"kind": "status", "status": 503}, match={"lists": True})
    for path in ("/v1/customers", "/v1/events", f"/v1/customers/{customer}/tax_ids"):
        assert stripe.get(path).status == 503
    for path in (f"/v1/customers/{customer}", "/v1/account"):
        assert stripe.get(path).status == 200
    assert stripe.post("/v1/customers", "name=Bea").status == 200
    assert call_control(stripe, "POST faults", {"match": {"lists": 3}, "action": {}})[0] == 400
