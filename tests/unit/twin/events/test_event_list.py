"""`GET /v1/events` lists the events of one account and mode, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

    from paydispatch.twin.clock import TwinClock

DAY_S = 86_400
BEGIN = 1_700_000_000


@pytest.fixture
def shop(stripe: Client, clock: TwinClock) -> Client:
    """An account with five products, made 10 s apart, and one coupon."""
    for number in range(5):
        stripe.post("/v1/products", f"name=Tea {number}")
        clock.advance(10)
    stripe.post("/v1/coupons", "percent_off=5")
    return stripe


def names(client: Client, query: str = "") -> list[str]:
    return [name_of(event) for event in client.get("/v1/events", query).json["data"]]


def name_of(event: dict[str, Any]) -> str:
    shown = event["data"]["object"]
    return str(shown["name"] or shown["object"]).removeprefix("Tea ")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "coupon 4 3 2 1 0"),
        ("limit=2", "coupon 4"),
        ("type=coupon.created", "coupon"),
        ("type=product.*", "4 3 2 1 0"),
        ("types[]=coupon.created&types[]=price.created", "coupon"),
        ("types[0]=coupon.created&types[1]=product.created&limit=2", "coupon 4"),
        (f"created[gte]={BEGIN + 30}&created[lt]={BEGIN + 50}", "4 3"),
        (f"created[gt]={BEGIN + 30}&created[lte]={BEGIN + 40}", "4"),
        (f"created={BEGIN}", "0"),
        ("delivery_success=true&limit=1", "coupon"),
        ("delivery_success=false", ""),
    ],
)
def test_a_list_has_the_events_that_its_parameters_select(
    shop: Client, query: str, found: str
) -> None:
    assert names(shop, query) == found.split()


def test_pages_follow_each_other_in_both_directions(shop: Client) -> None:
    first = shop.get("/v1/events", "limit=2").json
    assert first["has_more"] is True
    second = shop.get("/v1/events", f"limit=2&starting_after={first['data'][-1]['id']}").json
    assert [name_of(event) for event in second["data"]] == ["3", "2"]
    back = shop.get("/v1/events", f"limit=2&ending_before={second['data'][0]['id']}").json
    assert (back["data"], back["has_more"]) == (first["data"], False)


def test_one_event_is_fetched_by_its_id(shop: Client) -> None:
    event = shop.get("/v1/events", "limit=1").json["data"][0]
    assert shop.get(f"/v1/events/{event['id']}").json == event
    assert shop.get("/v1/events/evt_none").status == 404


def test_an_account_and_a_mode_have_lists_of_their_own(shop: Client) -> None:
    event = shop.get("/v1/events", "limit=1").json["data"][0]
    for key in ("sk_test_two", "sk_live_one"):
        other = shop.with_key(key)
        assert names(other) == []
        assert other.get(f"/v1/events/{event['id']}").status == 404


def test_events_are_shown_for_30_days(shop: Client, clock: TwinClock) -> None:
    event = shop.get("/v1/events", "limit=1").json["data"][0]
    clock.advance(30 * DAY_S - 10)
    assert names(shop) == ["coupon", "4"]
    clock.advance(11)
    assert names(shop) == []
    assert shop.get(f"/v1/events/{event['id']}").status == 404


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=101", "limit"),
        ("types=coupon.created", "types"),
        ("&".join(f"types[]=a{number}" for number in range(21)), "types"),
        ("starting_after=evt_none", "starting_after"),
        ("created[since]=1", "created[since]"),
        ("customer=cus_1", "customer"),
        ("delivery_success=maybe", "delivery_success"),
        ("type=a&types[]=b", None),
    ],
)
def test_a_wrong_parameter_is_refused(shop: Client, query: str, param: str | None) -> None:
    reply = shop.get("/v1/events", query)
    assert (reply.status, reply.error.get("param")) == (400, param)


def test_a_reset_forgets_the_events(shop: Client) -> None:
    shop.twin.forget()
    assert names(shop) == []


def test_a_fault_rule_can_name_the_reads_of_events(shop: Client) -> None:
    shop.fault({"kind": "status", "status": 500}, match={"object": "event"})
    assert shop.get("/v1/events").status == 500
    assert shop.get("/v1/products").status == 200
