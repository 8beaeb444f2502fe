"""No body that the document allows is refused, and no body that it forbids is accepted.

By default, each test makes 200 bodies of each object's create, and 20 of each other operation. `make properties` makes
thousands, and 200.
"""

import os

import pytest
from tests.unit.schema.bodies import Bodies, extract, request_schemas
from tests.unit.schema.spoiling import LONGER_TODAY, OPTIONAL_TODAY, spoil

from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.parameters.path import bracket_path
from paydispatch.domain.stripe.operations import all_operations
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION

CREATES = frozenset(row.operation for row in RESOURCES)
BODIES = int(os.environ.get("PROPERTY_BODIES", "500"))

each_operation = pytest.mark.parametrize("name", sorted(request_schemas()))


def count(name: str) -> int:
    return BODIES * 2 // 5 if name in CREATES else BODIES // 25


def test_the_extract_is_of_the_older_version_and_has_every_operation_of_the_document() -> None:
    assert extract()["info"]["version"] == OLDER_API_VERSION
    documented = {row.name for row in all_operations() if "document" in row.sources}
    assert request_schemas().keys() == documented


@each_operation
def test_no_valid_body_is_refused(name: str) -> None:
    bodies = Bodies(name, seed=1)
    for _ in range(count(name)):
        body = bodies.valid()
        assert check_params(name, body) == (), body


@each_operation
def test_no_invalid_body_is_accepted_and_the_wrong_parameter_is_named(name: str) -> None:
    bodies = Bodies(name, seed=2)
    for _ in range(count(name)):
        body, fault = spoil(bodies.valid(), bodies.schema, bodies.random)
        allowed = {"missing required": OPTIONAL_TODAY, "too long": LONGER_TODAY}
        if bracket_path(fault.path) in allowed.get(fault.kind, ()):
            continue
        named = [error.param for error in check_params(name, body)]
        place = bracket_path(fault.path)
        below = f"{place}["  # the version of today may have an object there
        assert any(param == place or param.startswith(below) for param in named), (fault, body)


@pytest.mark.parametrize("name", sorted(CREATES))
def test_every_kind_of_fault_is_tried(name: str) -> None:
    bodies = Bodies(name, seed=3)
    tried = {spoil(bodies.valid(), bodies.schema, bodies.random)[1].kind for _ in range(200)}
    assert tried >= {"unknown name", "wrong type", "bad enum", "too long"}
