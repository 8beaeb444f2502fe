"""No body that the library's types allow is refused, and no body that they forbid is accepted.

By default, each test makes 500 bodies of each object's create, and 20 of each other operation. `make properties` makes
5,000, and 200.
"""

import os
from importlib.metadata import version

import pytest
import stripe
from tests.unit.schema.typed_bodies import TypedBodies, extract

from paydispatch.domain.parameters.check import judge_params
from paydispatch.domain.parameters.path import bracket_path
from paydispatch.domain.stripe.operations import all_operations
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

CREATES = frozenset(row.operation for row in RESOURCES)
BODIES = int(os.environ.get("PROPERTY_BODIES", "500"))

OPTIONAL_BEFORE = {
    ("create_account_external_account", "external_account"),
    ("create_customer_payment_source", "source"),
    ("create_forwarding_request", "request"),
}
"""Parameters that the older version does not require."""

ANY_TEXT_BEFORE = {("reject_account", "reason")}
"""Enumerations that are any text in the older version. Another value has a warning."""

KINDS_OF_OBJECTS = frozenset({"external_account"})
"""Parameters that are one of several objects. The error may be about another field of the nearest object."""

each_operation = pytest.mark.parametrize("name", sorted(extract()["operations"]))
each_create = pytest.mark.parametrize("name", sorted(CREATES))


def count(name: str) -> int:
    return BODIES if name in CREATES else BODIES // 25


def test_the_extract_is_of_the_version_of_today_and_has_every_operation_of_the_library() -> None:
    assert extract()["version"] == STRIPE_API_VERSION == stripe.api_version, version("stripe")
    typed = {row.name for row in all_operations() if "library" in row.sources}
    assert extract()["operations"].keys() == typed


@each_operation
def test_no_valid_body_is_refused_or_has_a_warning(name: str) -> None:
    bodies = TypedBodies(name, seed=1)
    for _ in range(count(name)):
        body = bodies.valid()
        verdict = judge_params(name, body)
        assert (verdict.errors, verdict.warnings) == ((), ()), body


@each_operation
def test_no_broken_body_is_accepted_and_the_wrong_parameter_is_named(name: str) -> None:
    bodies = TypedBodies(name, seed=2)
    for _ in range(count(name)):
        body, fault = bodies.spoilt()
        place = (name, bracket_path(fault.path))
        if place in (OPTIONAL_BEFORE if fault.kind == "missing required" else ANY_TEXT_BEFORE):
            continue
        named = [error.param for error in judge_params(name, body).errors]
        wanted = fault.path[:1] if fault.path[0] in KINDS_OF_OBJECTS else fault.path
        assert any(param.startswith(bracket_path(wanted)) for param in named), (fault, body)


@each_create
def test_every_kind_of_fault_is_tried(name: str) -> None:
    bodies = TypedBodies(name, seed=3)
    tried = {bodies.spoilt()[1].kind for _ in range(300)}
    assert tried >= {"unknown name", "wrong enum", "wrong shape"}


def test_every_object_with_a_required_parameter_is_tried_without_one() -> None:
    tried = {
        name
        for name in CREATES
        for bodies in [TypedBodies(name, seed=4)]
        for _ in range(300)
        if bodies.spoilt()[1].kind == "missing required"
    }
    assert tried >= {
        "create_product",
        "create_price",
        "create_payment_intent",
        "create_payment_link",
        "create_subscription",
    }
