"""The table of objects."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
import stripe.params

from paydispatch.domain.errors import UnknownObject
from paydispatch.domain.parameters.check import parameter_schema
from paydispatch.domain.stripe.listings import Listing
from paydispatch.domain.stripe.operations import create_operation
from paydispatch.domain.stripe.resources import RESOURCES, Resource, resource_named
from paydispatch.twin.objects.shapes import response_schema

EVERY_ROW = pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)


def list_params(row: Resource) -> set[str]:
    """Return the parameters that Stripe's own library allows for the list of this object."""
    *folders, name = row.name.split(".")
    module: Any = stripe.params
    for folder in folders:
        module = getattr(module, folder)
    typed = getattr(module, f"{name.title().replace('_', '')}ListParams")
    return set(typed.__annotations__)


def listing_of(row: Resource) -> Listing:
    listing = create_operation(row.name).listing
    assert listing is not None
    return listing


def query_names(row: Resource) -> list[str]:
    return [name for query in listing_of(row).queries for name, _ in parse_qsl(query)]


@EVERY_ROW
def test_a_row_is_found_by_its_name(row: Resource) -> None:
    assert resource_named(row.name) is row


def test_an_object_outside_the_table_is_unknown() -> None:
    with pytest.raises(UnknownObject, match="'tea'"):
        resource_named("tea")


def test_names_follow_from_the_row() -> None:
    row = Resource("checkout.session")
    assert row.endpoint == "/v1/checkout/sessions"
    assert row.response_flow == "new_create_checkout_session_response"
    assert row.error_flow == "new_create_checkout_session_error"


@EVERY_ROW
def test_a_list_is_filtered_by_time_if_stripe_allows_it(row: Resource) -> None:
    assert listing_of(row).dated == ("created" in list_params(row))


@EVERY_ROW
def test_a_list_is_filtered_only_by_parameters_that_stripe_allows(row: Resource) -> None:
    assert {*query_names(row), *listing_of(row).clocked_by} <= list_params(row)


@EVERY_ROW
def test_active_and_inactive_objects_are_listed_if_stripe_can_filter_them(row: Resource) -> None:
    """Stripe does not document for every list that it holds both if the filter is absent."""
    split = "active" in list_params(row)

    assert (listing_of(row).queries == ("active=true", "active=false")) == split


@EVERY_ROW
def test_an_object_on_a_test_clock_is_listed_by_every_parameter_that_puts_it_there(
    row: Resource,
) -> None:
    can_be = "test_clock" in response_schema(row.name)["properties"]
    puts = {"test_clock", "customer", "customer_account"} & parameter_schema(row.operation)[
        "properties"
    ].keys()

    assert set(listing_of(row).clocked_by) == (puts if can_be else set())
