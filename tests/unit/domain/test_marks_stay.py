"""No operation on an existing object may remove the mark of its create."""

from __future__ import annotations

from typing import Any

import pytest

from paydispatch.domain.identity.marks import MARK
from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.parameters.marks_stay import CODE


def errors(operation: str, params: dict[str, Any], unchecked: dict[str, Any] | None = None) -> Any:
    return [(e.param, e.code) for e in check_params(operation, params, unchecked or {})]


def test_an_update_that_unsets_all_metadata_is_refused_with_a_hint() -> None:
    (error,) = check_params("update_product", {"metadata": ""})
    assert (error.param, error.code) == ("metadata", CODE)
    assert 'metadata[order]=""' in error.message


def test_nested_metadata_counts_too() -> None:
    items = {"items": [{"id": "si_1", "metadata": ""}]}
    assert errors("update_subscription", items) == [("items[0][metadata]", CODE)]


def test_unchecked_metadata_counts_too() -> None:
    items = {"items": [{"id": "si_1", "metadata": ""}]}
    assert errors("update_subscription", {}, items) == [("items[0][metadata]", CODE)]


@pytest.mark.parametrize("metadata", [{"order": ""}, {"order": "1"}, {}, None])
def test_pairs_are_set_and_unset_by_name(metadata: Any) -> None:
    assert errors("update_product", {"metadata": metadata}) == []


def test_a_create_has_no_metadata_to_unset() -> None:
    found = errors("create_product", {"name": "Tea", "metadata": ""})
    assert CODE not in [code for _, code in found]


@pytest.mark.parametrize("value", ["pdr_2", ""])
def test_the_mark_itself_is_refused_in_an_update(value: str) -> None:
    assert errors("update_product", {"metadata": {MARK: value}})
    assert errors("update_product", {}, {"metadata": {MARK: value}})
