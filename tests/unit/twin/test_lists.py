"""Lists, pages and expansions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from paydispatch.domain.stripe.operations import create_operation
from paydispatch.domain.stripe.resources import RESOURCES, Resource

if TYPE_CHECKING:
    from tests.unit.twin.conftest import Client

    from paydispatch.twin.clock import TwinClock

START = 1_700_000_000


@pytest.fixture
def names(stripe: Client, clock: TwinClock) -> list[str]:
    """Create five products, one a minute. Return their names, newest first."""
    for number in range(5):
        stripe.post("/v1/products", f"name={number}&active={'false' if number == 2 else 'true'}")
        clock.advance(60)
    return [str(number) for number in reversed(range(5))]


def _names(stripe: Client, query: str) -> list[str]:
    return [product["name"] for product in stripe.get("/v1/products", query).json["data"]]


def test_a_list_is_newest_first(stripe: Client, names: list[str]) -> None:
    listed = stripe.get("/v1/products").json
    assert [product["name"] for product in listed["data"]] == names
    assert (listed["object"], listed["url"], listed["has_more"]) == ("list", "/v1/products", False)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (f"created[gte]={START + 120}", ["4", "3", "2"]),
        (f"created[gt]={START + 120}", ["4", "3"]),
        (f"created[lte]={START + 60}", ["1", "0"]),
        (f"created[lt]={START + 60}", ["0"]),
        (f"created[gte]={START + 60}&created[lt]={START + 180}", ["2", "1"]),
        (f"created={START + 120}", ["2"]),
        ("active=false", ["2"]),
        ("limit=2", ["4", "3"]),
    ],
)
@pytest.mark.usefixtures("names")
def test_a_list_is_filtered(stripe: Client, query: str, wanted: list[str]) -> None:
    assert _names(stripe, query) == wanted


def test_pages_go_down_and_up(stripe: Client, names: list[str]) -> None:
    first = stripe.get("/v1/products", "limit=2").json
    assert first["has_more"]
    below = stripe.get("/v1/products", f"limit=2&starting_after={first['data'][-1]['id']}").json
    assert [product["name"] for product in below["data"]] == names[2:4]
    above = f"limit=2&ending_before={below['data'][0]['id']}"
    assert _names(stripe, above) == names[0:2]


def test_status_all_lists_the_subscriptions_of_every_status(stripe: Client) -> None:
    stripe.post("/v1/subscriptions", "customer=cus_1&items[0][price]=price_1")
    assert len(stripe.get("/v1/subscriptions", "status=all").json["data"]) == 1
    assert stripe.get("/v1/subscriptions", "status=canceled").json["data"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("created[from]=1", "created[from]"),
        ("created[gte]=soon", "created[gte]"),
        ("nonsense=1", "nonsense"),
        ("starting_after=prod_gone", "starting_after"),
    ],
)
def test_a_wrong_query_is_refused_by_name(stripe: Client, query: str, param: str) -> None:
    reply = stripe.get("/v1/products", query)
    assert (reply.status, reply.error["param"]) == (400, param)


def test_a_list_of_objects_without_a_time_of_creation_refuses_a_filter_by_time(
    stripe: Client,
) -> None:
    """Stripe's `GET /v1/payment_links` refuses it too."""
    reply = stripe.get("/v1/payment_links", "created[gte]=1")
    refused = (reply.status, reply.error["code"], reply.error["param"])
    assert refused == (400, "parameter_unknown", "created")


@pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)
def test_every_query_of_the_table_is_answered(stripe: Client, row: Resource) -> None:
    listing = create_operation(row.name).listing
    assert listing is not None
    span = "created[gte]=1&" if listing.dated else ""
    statuses = [stripe.get(row.endpoint, span + query).status for query in listing.queries]
    assert statuses == [200] * len(listing.queries)


def test_an_object_on_a_test_clock_is_listed_only_by_the_clock_or_by_its_customer(
    stripe: Client,
) -> None:
    customer = stripe.post("/v1/customers", "test_clock=clock_1").json["id"]
    stripe.post("/v1/subscriptions", f"customer={customer}&items[0][price]=price_1")
    stripe.post("/v1/invoices", f"customer={customer}")

    def count(path: str, query: str = "") -> int:
        return len(stripe.get(path, query).json["data"])

    assert (count("/v1/customers"), count("/v1/customers", "test_clock=clock_1")) == (0, 1)
    for path, made in (("/v1/subscriptions", 1), ("/v1/invoices", 2)):  # a subscription's is one
        assert (count(path), count(path, f"customer={customer}")) == (0, made)
    assert count("/v1/subscriptions", "test_clock=clock_1") == 1


def test_an_object_on_no_test_clock_is_listed_without_a_filter(stripe: Client) -> None:
    customer = stripe.post("/v1/customers").json["id"]
    stripe.post("/v1/invoices", f"customer={customer}")

    listed = stripe.get("/v1/customers").json["data"] + stripe.get("/v1/invoices").json["data"]

    assert [thing["test_clock"] for thing in listed] == [None, None]


def test_an_id_is_expanded_on_request(stripe: Client) -> None:
    price = "currency=usd&unit_amount=5&product_data[name]=Tea"
    made = stripe.post("/v1/prices", price + "&expand[]=product").json
    assert made["product"]["name"] == "Tea"
    kept = stripe.get(f"/v1/prices/{made['id']}").json
    assert kept["product"] == made["product"]["id"]
    shown = stripe.get(f"/v1/prices/{made['id']}", "expand[]=product").json
    assert shown["product"] == made["product"]


def test_ids_in_a_list_are_expanded_on_request(stripe: Client) -> None:
    stripe.post("/v1/prices", "currency=usd&unit_amount=5&product_data[name]=Tea")
    listed = stripe.get("/v1/prices", "expand[]=data.product").json
    assert listed["data"][0]["product"]["name"] == "Tea"


def test_an_expansion_the_object_does_not_have_is_refused_before_anything_is_made(
    stripe: Client,
) -> None:
    reply = stripe.post("/v1/products", "name=Tea&expand[]=nonsense")
    assert reply.status == 400
    assert stripe.effects() == []
