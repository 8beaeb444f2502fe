"""A row of a table is the request whose fields its columns name, by the paths of Stripe's form encoding."""

from __future__ import annotations

from typing import Any

import pytest

from paydispatch.domain.parameters.path import bracket_path, read_path
from paydispatch.domain.submission.columns import Columns, field_path, text_of_fields


def read(row: dict[str, str], **constants: str) -> dict[str, Any]:
    named = [(field_path(name), name) for name in row]
    fixed = [(field_path(name), text) for name, text in constants.items()]
    return Columns(named, fixed).read(row)


@pytest.mark.parametrize(
    ("row", "fields"),
    [
        ({"amount": "2000"}, {"params": {"amount": "2000"}}),
        ({"metadata[order]": "1"}, {"params": {"metadata": {"order": "1"}}}),
        ({"items[0][price]": "p"}, {"params": {"items": [{"price": "p"}]}}),
        ({"expand[1]": "b", "expand[0]": "a"}, {"params": {"expand": ["a", "b"]}}),
        ({"metadata[2024]": "x"}, {"params": {"metadata": {"2024": "x"}}}),
        ({"path[intent]": "pi_1"}, {"path": {"intent": "pi_1"}}),
        ({"context_id": "c", "lane": "batch"}, {"context_id": "c", "lane": "batch"}),
        ({"params[lane]": "x"}, {"params": {"lane": "x"}}),
        ({"unchecked_params[new]": "x"}, {"unchecked_params": {"new": "x"}}),
        ({"deadline_s": "60"}, {"deadline_s": 60.0}),
        ({"deadline_s": "soon"}, {"deadline_s": "soon"}),
    ],
)
def test_a_column_is_the_field_at_its_path(row: dict[str, str], fields: dict[str, Any]) -> None:
    assert read(row) == fields


def test_an_empty_cell_leaves_its_field_out() -> None:
    row = {"amount": "", "metadata[order]": "", "metadata[shop]": "s", "items[0][price]": "p"}
    assert read(row) == {"params": {"metadata": {"shop": "s"}, "items": [{"price": "p"}]}}


def test_an_element_of_a_list_without_a_cell_leaves_no_gap() -> None:
    row = {"items[0][price]": "a", "items[1][price]": "", "items[2][price]": "c"}
    assert read(row)["params"]["items"] == [{"price": "a"}, {"price": "c"}]


def test_a_constant_is_a_field_of_each_row() -> None:
    assert read({"amount": "1"}, currency="eur") == {"params": {"amount": "1", "currency": "eur"}}


@pytest.mark.parametrize(
    "text", ["", "[a]", "a[", "a[]", "a]b", "a[b]c", "a[[b]]", "params", "path", "lane[x]"]
)
def test_a_text_that_is_no_field_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (path|field)|has no parts"):
        field_path(text)


@pytest.mark.parametrize(
    "fields", [("amount", "params[amount]"), ("metadata", "metadata[order]"), ("a[b][c]", "a[b]")]
)
def test_a_field_that_is_named_twice_is_refused(fields: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="are the same field"):
        read(dict.fromkeys(fields, "x"))


@pytest.mark.parametrize("text", ["amount", "items[0][price]", "a[b][10][c]", "metadata[007]"])
def test_a_path_reads_as_it_is_written(text: str) -> None:
    assert bracket_path(read_path(text)) == text


def test_the_identity_of_a_row_is_not_that_of_its_key_or_of_the_order_of_its_columns() -> None:
    row = {"amount": "1", "currency": "eur", "secret_ref": "a"}
    other = {"currency": "eur", "amount": "1", "secret_ref": "b"}
    assert text_of_fields(read(row)) == text_of_fields(read(other))
