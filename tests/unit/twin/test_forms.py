"""The reader of Stripe's form encoding."""

from typing import Any

import pytest

from paydispatch.twin.wire.errors import StripeError
from paydispatch.twin.wire.forms import nest, read_pairs


@pytest.mark.parametrize(
    ("body", "nested"),
    [
        ("name=Tea", {"name": "Tea"}),
        ("metadata[order]=1", {"metadata": {"order": "1"}}),
        ("metadata%5Border%5D=1", {"metadata": {"order": "1"}}),
        (
            "items[0][price]=p&items[0][quantity]=2",
            {"items": {"0": {"price": "p", "quantity": "2"}}},
        ),
        ("items[][price]=a&items[][price]=b", {"items": [{"price": "a"}, {"price": "b"}]}),
        ("items[][price]=a&items[][n]=1", {"items": [{"price": "a", "n": "1"}]}),
        ("expand[]=a&expand[]=b", {"expand": ["a", "b"]}),
        ("name=Gr%C3%BC%C3%9Fe+%26+%E2%82%AC", {"name": "Grüße & €"}),
        ("description=", {"description": ""}),
        ("", {}),
    ],
)
def test_a_form_body_is_read_as_nested_values(body: str, nested: dict[str, Any]) -> None:
    assert nest(read_pairs(body)) == nested


@pytest.mark.parametrize(
    "body", ["a=1&a[b]=2", "a[b]=1&a[]=2", "a]=1", "[a]=1", "a" + "[b]" * 99 + "=1"]
)
def test_a_name_that_is_no_bracket_path_is_refused(body: str) -> None:
    with pytest.raises(StripeError) as refused:
        nest(read_pairs(body))
    assert refused.value.status == 400
