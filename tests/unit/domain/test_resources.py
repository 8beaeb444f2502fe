"""The table of objects."""

import pytest

from paydispatch.domain.errors import UnknownObject
from paydispatch.domain.resources import RESOURCES, Resource, resource_at, resource_named


@pytest.mark.parametrize("row", RESOURCES, ids=lambda row: row.name)
def test_a_row_is_found_by_its_name_and_by_its_collection(row: Resource) -> None:
    assert resource_named(row.name) is row
    assert resource_at(row.collection) is row


@pytest.mark.parametrize("find", [resource_named, resource_at])
def test_what_is_not_in_the_table_is_unknown(find: object) -> None:
    with pytest.raises(UnknownObject, match="'tea'"):
        find("tea")  # type: ignore[operator]


def test_names_follow_from_the_row() -> None:
    row = Resource("checkout.session", "checkout/sessions")
    assert row.endpoint == "/v1/checkout/sessions"
    assert row.response_flow == "new_create_checkout_session_response"
    assert row.error_flow == "new_create_checkout_session_error"
