"""The texts on a customer's bank statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.twin.rules.conftest import NO_REDIRECTS, open_shop, refusal

if TYPE_CHECKING:
    from tests.unit.twin.rules.conftest import Shop

SHOP = open_shop()
ASKED = {"amount": 2000, "currency": "usd"}
LETTERS, OTHERS, FORBIDDEN = "abcXYZé", " 0123-.#&", "<>\\'\"*"
TEXTS = st.text(LETTERS + OTHERS, min_size=1, max_size=22).filter(str.strip)


@given(TEXTS, st.sampled_from(["statement_descriptor", "statement_descriptor_suffix"]))
def test_a_descriptor_has_a_letter_and_enough_characters(text: str, name: str) -> None:
    reply = SHOP.create("payment_intent", {**ASKED, name: text})
    has_letter = not set(LETTERS).isdisjoint(text)
    is_long_enough = len(text) >= 5 or name == "statement_descriptor_suffix"
    if has_letter and is_long_enough:
        assert reply.status == 200
    else:
        assert refusal(reply) == (400, None, name)


@given(TEXTS, st.sampled_from(FORBIDDEN), st.integers(0, 20))
def test_a_forbidden_character_is_refused_anywhere(text: str, character: str, place: int) -> None:
    wrong = text[:place] + character + text[place + 1 :]
    for name in ("statement_descriptor", "statement_descriptor_suffix"):
        reply = SHOP.create("payment_intent", {**ASKED, name: wrong})
        assert refusal(reply) == (400, None, name)


@pytest.mark.parametrize(
    ("text", "status"), [("TEA", 200), ("TEA*SHOP", 200), ("TEA'S", 400), ("123", 400)]
)
def test_the_descriptor_of_a_product_may_be_short(shop: Shop, text: str, status: int) -> None:
    params = {"name": "Tea", "statement_descriptor": text}
    assert shop.create("product", params).status == status


def test_a_card_has_a_suffix_and_no_descriptor_of_its_own(shop: Shop) -> None:
    card = {**ASKED, "confirm": True, "payment_method": "pm_card_visa", **NO_REDIRECTS}
    suffix = {**card, "statement_descriptor_suffix": "TEA"}
    assert shop.create("payment_intent", suffix).status == 200
    reply = shop.create("payment_intent", {**card, "statement_descriptor": "TEA SHOP"})
    assert refusal(reply) == (400, None, "statement_descriptor")


@pytest.mark.parametrize("name", ["statement_descriptor", "statement_descriptor_suffix"])
def test_the_descriptor_of_a_sessions_payment_is_checked(shop: Shop, name: str) -> None:
    items = [{"price": shop.price(), "quantity": 1}]
    asked = {"success_url": "https://example.com", "line_items": items}
    reply = shop.create("checkout.session", {**asked, "payment_intent_data": {name: "12345"}})
    assert refusal(reply) == (400, None, f"payment_intent_data[{name}]")
