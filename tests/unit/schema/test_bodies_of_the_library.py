"""No body that the library's types allow is refused, and no body that they forbid is accepted.

By default, each test makes 500 bodies of each object. `make properties` makes 5,000.
"""

import os
from importlib.metadata import version

import pytest
import stripe
from tests.unit.schema.typed_bodies import TypedBodies, extract

from paydispatch.domain.parameters.check import judge_params
from paydispatch.domain.parameters.path import bracket_path
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

BODIES = int(os.environ.get("PROPERTY_BODIES", "500"))

each_object = pytest.mark.parametrize("name", [row.name for row in RESOURCES])


def test_the_extract_is_of_the_version_of_today_and_has_every_object() -> None:
    assert extract()["version"] == STRIPE_API_VERSION == stripe.api_version, version("stripe")
    assert extract()["creates"].keys() == {row.name for row in RESOURCES}


@each_object
def test_no_valid_body_is_refused_or_has_a_warning(name: str) -> None:
    bodies = TypedBodies(name, seed=1)
    for _ in range(BODIES):
        body = bodies.valid()
        verdict = judge_params(name, body)
        assert (verdict.errors, verdict.warnings) == ((), ()), body


@each_object
def test_no_broken_body_is_accepted_and_the_wrong_parameter_is_named(name: str) -> None:
    bodies = TypedBodies(name, seed=2)
    for _ in range(BODIES):
        body, fault = bodies.spoilt()
        named = [error.param for error in judge_params(name, body).errors]
        assert any(param.startswith(bracket_path(fault.path)) for param in named), (fault, body)


@each_object
def test_every_kind_of_fault_is_tried(name: str) -> None:
    bodies = TypedBodies(name, seed=3)
    tried = {bodies.spoilt()[1].kind for _ in range(300)}
    assert tried >= {"unknown name", "wrong enum", "wrong shape"}


def test_every_object_with_a_required_parameter_is_tried_without_one() -> None:
    tried = {
        row.name
        for row in RESOURCES
        for bodies in [TypedBodies(row.name, seed=4)]
        for _ in range(300)
        if bodies.spoilt()[1].kind == "missing required"
    }
    assert tried >= {"product", "price", "payment_intent", "payment_link", "subscription"}
