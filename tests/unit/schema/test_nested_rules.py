"""The rules across fields hold wherever an object has them, also deep inside."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.schema.bodies import Bodies

from paydispatch.domain.parameters.check import check_params, parameter_schema
from paydispatch.domain.parameters.rules import EACH, broken_rules, schema_of_rules
from paydispatch.domain.parameters.stripe_rules import NO_RULES, RULES
from paydispatch.domain.stripe.resources import RESOURCES, create_of

AMOUNTS: dict[str, Any] = {"unit_amount": 5, "unit_amount_decimal": "0.5"}
FLAT: dict[str, Any] = {"flat_amount": 5, "flat_amount_decimal": "0.5"}
SALE = {"mode": "payment", "success_url": "https://shop.example/thanks"}
PRICE = {"currency": "usd", "product": "prod_1", "unit_amount": 5}


def chosen(options: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for objects with any of the options."""
    names = st.sets(st.sampled_from(sorted(options)))
    return names.map(lambda some: {name: options[name] for name in sorted(some)})


def params_of(name: str, params: dict[str, Any]) -> list[str]:
    return [fault.param for fault in check_params(create_of(name), params)]


@given(unit=chosen(AMOUNTS), flat=chosen(FLAT), place=st.integers(0, 2))
def test_a_tier_has_at_most_one_amount_of_a_kind_and_at_least_one(
    unit: dict[str, Any], flat: dict[str, Any], place: int
) -> None:
    tiers = [{"up_to": number, "unit_amount": 5} for number in range(1, 4)]
    tiers[place] = {"up_to": 9, **unit, **flat}
    found = params_of(
        "price",
        {"currency": "usd", "product": "p", "billing_scheme": "tiered", "tiers": tiers},
    )
    if not unit and not flat:
        assert found == [f"tiers[{place}][unit_amount]"]
    else:
        assert set(found) == ({f"tiers[{place}]"} if 2 in (len(unit), len(flat)) else set())


@given(
    amounts=chosen(AMOUNTS),
    products=chosen({"product": "prod_1", "product_data": {"name": "Tea"}}),
    name=st.sampled_from(["checkout.session", "payment_link"]),
)
def test_a_price_data_has_exactly_one_amount_and_one_product(
    amounts: dict[str, Any], products: dict[str, Any], name: str
) -> None:
    line = {"quantity": 1, "price_data": {"currency": "usd", **amounts, **products}}
    found = params_of(name, {**(SALE if name != "payment_link" else {}), "line_items": [line]})
    inside = "line_items[0][price_data]"
    wanted = [
        *([f"{inside}[product]"] if not products else [inside] if len(products) == 2 else []),
        *([f"{inside}[unit_amount]"] if not amounts else [inside] if len(amounts) == 2 else []),
    ]
    assert found == wanted


@given(prices=chosen({"price": "price_1", "price_data": PRICE}))
def test_an_item_has_exactly_one_price(prices: dict[str, Any]) -> None:
    recurring = {"recurring": {"interval": "month"}}
    of_item = {
        name: value if name == "price" else {**value, **recurring} for name, value in prices.items()
    }
    for field, item in (("items", of_item), ("add_invoice_items", prices)):
        found = params_of("subscription", {"customer": "cus_1", field: [{"quantity": 1, **item}]})
        where = f"{field}[0]"
        assert found == ([f"{where}[price]"] if not prices else [where] if len(prices) == 2 else [])


@given(discount=chosen({"coupon": "c", "discount": "di_1", "promotion_code": "promo_1"}))
def test_a_discount_names_exactly_one_thing(discount: dict[str, Any]) -> None:
    for name, needed in (("invoice", {}), ("subscription", {"customer": "cus_1"})):
        found = params_of(name, {**needed, "discounts": [{"coupon": "x"}, discount]})
        assert found == (["discounts[1]"] if len(discount) > 1 else [])


@given(amounts=chosen({**AMOUNTS, "custom_unit_amount": {"enabled": True}}))
def test_a_default_price_has_an_amount(amounts: dict[str, Any]) -> None:
    data = {"currency": "usd", **amounts}
    found = params_of("product", {"name": "Tea", "default_price_data": data})
    both = AMOUNTS.keys() <= amounts.keys()
    missing = ["default_price_data[unit_amount]"] if not amounts else []
    assert found == missing + (["default_price_data"] if both else [])


def test_a_price_in_another_currency_has_one_amount() -> None:
    found = params_of("price", {**PRICE, "currency_options": {"eur": AMOUNTS, "gbp": {}}})
    assert found == ["currency_options[eur]"]


def test_the_two_ways_to_anchor_a_billing_cycle_exclude_each_other() -> None:
    config = {
        "billing_cycle_anchor": 1900000000,
        "billing_cycle_anchor_config": {"day_of_month": 1},
    }
    assert params_of("subscription", {"customer": "cus_1", **config}) == [
        "billing_cycle_anchor_config"
    ]


@pytest.mark.parametrize("nothing", [{}, {"metadata": {}}, {"metadata": None}])
def test_an_entry_of_which_the_body_holds_nothing_breaks_no_rule(nothing: dict[str, Any]) -> None:
    assert params_of("checkout.session", {**SALE, "line_items": [nothing]}) == []


def test_a_value_of_a_wrong_shape_is_left_to_the_schema() -> None:
    assert params_of("invoice", {"discounts": {"coupon": "x"}}) == ["discounts"]


@pytest.mark.parametrize("name", [row.name for row in RESOURCES])
def test_the_engine_accepts_no_body_that_breaks_a_rule(name: str) -> None:
    rules = RULES.get(create_of(name), NO_RULES)
    engine = jsonschema_rs.Draft202012Validator(schema_of_rules(rules))
    bodies, broken = Bodies(create_of(name), seed=11), 0
    for _ in range(200):
        body = bodies.value(bodies.schema)
        if broken_rules(rules, body):
            broken += 1
            assert not engine.is_valid(body), body
    assert broken or name in {"customer", "invoice", "payment_intent", "payment_link"}


def test_every_place_with_rules_exists_in_the_schema() -> None:
    for name, rules in RULES.items():
        schema = parameter_schema(name)
        for place in rules:
            nodes = [schema]
            for step in place:
                nodes = [below for node in nodes for below in _below(schema, node, step)]
            assert nodes, (name, place)


def _below(schema: dict[str, Any], node: dict[str, Any], step: str) -> list[dict[str, Any]]:
    found = (
        [node.get("items"), node.get("additionalProperties")]
        if step == EACH
        else [node.get("properties", {}).get(step)]
    )
    resolved = [_resolve(schema, part) for part in found if isinstance(part, dict)]
    return [_resolve(schema, branch) for part in resolved for branch in part.get("anyOf", [part])]


def _resolve(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").removeprefix("#/$defs/")
    resolved: dict[str, Any] = schema["$defs"][name] if name else part
    return resolved
