"""An operation that unsets all metadata of an object is recognized, because it may remove the mark of a create."""

from __future__ import annotations

from typing import Any

import pytest

from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.parameters.unset_metadata import unsets_metadata
from paydispatch.domain.stripe.operations import operation_named

UPDATE = operation_named("update_subscription")


@pytest.mark.parametrize(
    "params", [{"metadata": ""}, {"items": [{"id": "si_1", "metadata": ""}]}], ids=["top", "nested"]
)
def test_an_empty_metadata_is_accepted_and_recognized(params: dict[str, Any]) -> None:
    assert check_params("update_subscription", params) == ()
    assert unsets_metadata(UPDATE, params)


@pytest.mark.parametrize("metadata", [{"order": ""}, {"order": "1"}, {}, None])
def test_pairs_that_are_set_and_unset_by_name_leave_the_mark_alone(metadata: Any) -> None:
    assert not unsets_metadata(UPDATE, {"metadata": metadata})


def test_a_create_has_no_metadata_to_unset() -> None:
    assert not unsets_metadata(operation_named("create_product"), {"name": "Tea", "metadata": ""})


@pytest.mark.parametrize("value", ["pdr_2", ""])
def test_the_mark_itself_is_refused_in_an_update(value: str) -> None:
    assert check_params("update_product", {"metadata": {MARK: value}})
    assert check_params("update_product", {}, {"metadata": {MARK: value}})
