"""Parameters of other versions of Stripe's API: the older one of the document, and the one that a setting names."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.examples import KEY
from tests.unit.schema.bodies import Bodies
from tests.unit.schema.spoiling import OPTIONAL_TODAY, spoil

from paydispatch.domain.errors import InvalidParams
from paydispatch.domain.parameters.check import (
    judge_params,
    parameter_schema,
    require_valid_params,
)
from paydispatch.domain.parameters.path import bracket_path
from paydispatch.domain.parameters.versions import UNTIL, of_any_version, of_today
from paydispatch.domain.stripe.resources import RESOURCES, create_of
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

CHARGE = {"amount": 2000, "currency": "usd"}
SESSION = {"mode": "payment", "success_url": "https://example.com/ok"}
PRICE = {"currency": "usd", "unit_amount": 100}
OTHER = "2027-03-31.flora"
each_object = pytest.mark.parametrize("name", [row.name for row in RESOURCES])


def warned(name: str, params: dict[str, Any], version: str = STRIPE_API_VERSION) -> list[str]:
    """Return the names of the parameters with a warning. The parameters must be accepted."""
    verdict = judge_params(create_of(name), params, version=version)
    assert verdict.errors == ()
    return [warning.param for warning in verdict.warnings]


def refused(name: str, params: dict[str, Any], version: str = STRIPE_API_VERSION) -> list[str]:
    verdict = judge_params(create_of(name), params, version=version)
    assert verdict.warnings == ()
    return [error.param for error in verdict.errors]


# The version of today


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("payment_intent", {**CHARGE, "allowed_payment_method_types": ["card"]}),
        ("checkout.session", {**SESSION, "allowed_payment_method_types": ["card"]}),
        ("product", {"name": "Tea", "tax_details": {"tax_code": "txcd_1"}}),
        ("price", {**PRICE, "product_data": {"name": "Tea", "tax_details": {"tax_code": "t"}}}),
        ("customer", {"tax_id_data": [{"type": "fr_siret", "value": "1"}]}),
        ("subscription", {"customer": "cus_1", "trial_settings": {"end_behavior": {}}}),
        ("payment_intent", {**CHARGE, "payment_method_options": {"card": {"moto": True}}}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_parameter_that_only_the_library_has_is_accepted_without_a_warning(
    name: str, params: dict[str, Any]
) -> None:
    assert warned(name, params) == []


@pytest.mark.parametrize(
    ("name", "params", "param"),
    [
        (
            "payment_intent",
            {**CHARGE, "payment_method_types": ["card"]},
            "payment_method_types",
        ),
        (
            "checkout.session",
            {**SESSION, "payment_method_types": ["card"]},
            "payment_method_types",
        ),
        (
            "checkout.session",
            {**SESSION, "line_items": [{"price": "p"}, {"price": "q", "dynamic_tax_rates": ["t"]}]},
            "line_items[1][dynamic_tax_rates]",
        ),
    ],
)
def test_a_parameter_that_only_the_document_has_is_accepted_with_a_warning(
    name: str, params: dict[str, Any], param: str
) -> None:
    assert warned(name, params) == [param]


def test_the_warning_names_the_parameter_of_today_and_both_versions() -> None:
    (warning,) = require_valid_params(
        "create_payment_intent", {**CHARGE, "payment_method_types": ["card"]}
    )
    assert warning.as_dict() == {
        "param": "payment_method_types",
        "message": "Received unknown parameter: payment_method_types. "
        "Did you mean allowed_payment_method_types? It is of Stripe's API version "
        f"{OLDER_API_VERSION}, and version {STRIPE_API_VERSION} may refuse it.",
    }


@pytest.mark.parametrize(
    "value", ["card", {"a": "card"}, [{"type": "card"}], [["card"]], 7, ["x" * 5001]]
)
def test_a_parameter_that_only_the_document_has_is_still_checked(value: object) -> None:
    assert refused("payment_intent", {**CHARGE, "payment_method_types": value}) != []


def test_errors_are_reported_without_the_warnings() -> None:
    params = {"currency": "usd", "payment_method_types": ["card"]}
    assert refused("payment_intent", params) == ["amount"]


def test_an_older_parameter_without_a_value_has_no_warning() -> None:
    assert warned("payment_intent", {**CHARGE, "payment_method_types": None}) == []


@pytest.mark.parametrize(
    ("name", "params", "param"),
    [
        ("payment_intent", {**CHARGE, "payment_method_typess": ["card"]}, "payment_method_typess"),
        ("product", {"name": "Tea", "tax_details": {"tax": "t"}}, "tax_details[tax]"),
        ("product", {"name": "Tea", "tax_details": "t"}, "tax_details"),
        ("product", {"name": "Tea", "type": "tea"}, "type"),
    ],
)
def test_a_parameter_that_neither_has_is_refused(
    name: str, params: dict[str, Any], param: str
) -> None:
    assert refused(name, params) == [param]


def test_the_older_version_can_be_set_and_its_parameters_have_no_warning() -> None:
    params = {**CHARGE, "payment_method_types": ["card"]}
    assert warned("payment_intent", params, OLDER_API_VERSION) == []
    assert warned("payment_intent", {**CHARGE, "tea": 1}, OLDER_API_VERSION) == ["tea"]


# Another version


@pytest.mark.parametrize(
    ("name", "params", "param"),
    [
        ("payment_intent", {**CHARGE, "tea": {"a": [1]}}, "tea"),
        ("payment_intent", {**CHARGE, "shipping": {"address": {"p.o.": "1"}, "name": "A"}}, None),
        ("payment_intent", {**CHARGE, "capture_method": "later"}, "capture_method"),
        ("payment_intent", {**CHARGE, "payment_method_types": ["card"]}, "payment_method_types"),
        ("subscription", {"customer": "c", "items": [{"price": "p", "tea": "1"}]}, "items[0][tea]"),
        ("subscription", {"customer": "c", "trial_end": "later"}, "trial_end"),
        ("customer", {"tax_id_data": [{"type": "tea", "value": "1"}]}, "tax_id_data[0][type]"),
    ],
)
def test_with_another_version_an_unknown_name_or_value_has_a_warning(
    name: str, params: dict[str, Any], param: str | None
) -> None:
    assert warned(name, params, OTHER) == [param or "shipping[address][p.o.]"]


def test_the_warning_says_which_version_is_set() -> None:
    (warning,) = require_valid_params(
        "create_payment_intent", {**CHARGE, "capture_method": "x"}, version=OTHER
    )
    assert warning.message == (
        "Received unknown value of capture_method. It is sent to Stripe, because the API version "
        f"{OTHER} is set and only {STRIPE_API_VERSION} is known."
    )


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"currency": "usd"}, "amount"),
        ({**CHARGE, "confirm": "yes"}, "confirm"),
        ({**CHARGE, "capture_method": {"a": 1}}, "capture_method"),
        ({**CHARGE, "shipping": "x"}, "shipping"),
        ({**CHARGE, "payment_method_options": {"card": ["x"]}}, "payment_method_options[card]"),
        ({**CHARGE, "description": "x" * 1001}, "description"),
        ({**CHARGE, "tea": KEY}, "tea"),
        ({**CHARGE, KEY: "tea"}, "sk_test_[hidden]"),
        ({**CHARGE, "tea": b"x"}, "tea"),
        ({**CHARGE, "metadata": {"a[b]": "x"}}, "metadata[a[b]]"),
    ],
)
def test_with_another_version_structure_and_secrets_are_still_checked(
    params: dict[str, Any], param: str
) -> None:
    assert refused("payment_intent", params, OTHER) == [param]


def test_with_another_version_the_rules_across_fields_still_hold() -> None:
    coupon = {"percent_off": 10, "amount_off": 5, "currency": "usd", "tea": 1}
    assert refused("coupon", coupon, OTHER) == ["amount_off"]


def test_with_another_version_a_coupon_of_an_unknown_duration_may_have_months() -> None:
    coupon = {"percent_off": 10, "duration": "seasonal", "duration_in_months": 3}
    assert warned("coupon", coupon, OTHER) == ["duration"]
    assert refused("coupon", {**coupon, "duration": "once"}, OTHER) == ["duration_in_months"]


def test_with_another_version_a_price_of_an_unknown_scheme_may_have_tiers() -> None:
    tiers = [{"up_to": "inf", "unit_amount": 5}]
    price = {"currency": "usd", "product": "p", "billing_scheme": "steps", "tiers": tiers}
    assert warned("price", price, OTHER) == ["billing_scheme"]
    assert refused("price", {**price, "billing_scheme": "per_unit"}, OTHER) != []


def test_a_warning_is_given_for_a_value_in_its_wire_form_too() -> None:
    params = {"amount": "2000", "currency": "USD", "payment_method_types": ["card"]}
    assert warned("payment_intent", params) == ["payment_method_types"]
    assert warned("payment_intent", {**params, "tea": 1}, OTHER) == ["payment_method_types", "tea"]


@pytest.mark.parametrize("version", [STRIPE_API_VERSION, OLDER_API_VERSION, OTHER])
def test_an_unchecked_parameter_has_no_warning_and_a_checked_one_beside_it_has(
    version: str,
) -> None:
    params = {**CHARGE, "payment_method_types": ["card"]}
    unchecked = {"tea": 1, "payment_method_options": {"tea": {"a": "b"}}}
    beside = judge_params("create_payment_intent", params, unchecked, version)
    assert beside == judge_params("create_payment_intent", params, version=version)
    among = judge_params(
        "create_payment_intent", CHARGE, {"payment_method_types": ["card"]}, version
    )
    assert (among.errors, among.warnings) == ((), ())


def test_the_errors_that_are_raised_are_those_of_the_version() -> None:
    params = {**CHARGE, "tea": 1}
    with pytest.raises(InvalidParams):
        require_valid_params("create_payment_intent", params)
    assert require_valid_params("create_payment_intent", params, version=OTHER) != ()


def test_at_most_100_warnings_are_returned() -> None:
    unknown = {f"tea_{number}": 1 for number in range(1000)}
    assert (
        len(judge_params("create_payment_intent", {**CHARGE, **unknown}, version=OTHER).warnings)
        == 100
    )


@each_object
def test_with_another_version_exactly_unknown_names_and_values_are_accepted(name: str) -> None:
    bodies = Bodies(create_of(name), seed=4)
    for _ in range(200):
        body, fault = spoil(bodies.valid(), bodies.schema, bodies.random)
        param = bracket_path(fault.path)
        if param in OPTIONAL_TODAY:
            continue
        if fault.kind in ("unknown name", "bad enum"):
            places = warned(name, body, OTHER)
            assert any(param.startswith(place) for place in places), (fault, body)
        else:
            assert param in refused(name, body, OTHER), (fault, body)


# The schemas


def _marked(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, list):
        for part in node:
            yield from _marked(part)
    if isinstance(node, dict):
        if UNTIL in node:
            yield node
        for part in node.values():
            yield from _marked(part)


def test_the_mark_names_the_older_version() -> None:
    marked = [part for row in RESOURCES for part in _marked(parameter_schema(row.operation))]
    assert {part[UNTIL] for part in marked} == {OLDER_API_VERSION}


@each_object
def test_the_schema_of_today_has_no_marked_part_and_the_given_one_is_not_changed(name: str) -> None:
    schema = deepcopy(parameter_schema(create_of(name)))
    assert UNTIL not in json.dumps(of_today(schema))
    of_any_version(schema)
    assert schema == parameter_schema(create_of(name))


def test_values_that_are_gone_are_a_branch_that_today_does_not_have() -> None:
    both = {"anyOf": [{"enum": ["a"]}, {"enum": ["b"], UNTIL: OLDER_API_VERSION}]}
    assert of_today(both) == {"anyOf": [{"enum": ["a"]}]}
