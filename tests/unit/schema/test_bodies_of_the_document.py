"""No body that the document allows is refused, and no body that it forbids is accepted.

By default, each test makes 200 bodies of each object. `make properties` makes thousands.
"""

import os

import pytest
from tests.unit.schema.bodies import Bodies, extract
from tests.unit.schema.spoiling import OPTIONAL_TODAY, spoil

from paydispatch.domain.parameters.check import check_params
from paydispatch.domain.parameters.path import bracket_path
from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION

BODIES = int(os.environ.get("PROPERTY_BODIES", "200"))

each_object = pytest.mark.parametrize("name", [row.name for row in RESOURCES])


def test_the_extract_is_of_the_older_version_and_has_every_object() -> None:
    assert extract()["version"] == OLDER_API_VERSION
    assert extract()["requests"].keys() == {row.name for row in RESOURCES}


@each_object
def test_no_valid_body_is_refused(name: str) -> None:
    bodies = Bodies(name, seed=1)
    for _ in range(BODIES):
        body = bodies.valid()
        assert check_params(name, body) == (), body


@each_object
def test_no_invalid_body_is_accepted_and_the_wrong_parameter_is_named(name: str) -> None:
    bodies = Bodies(name, seed=2)
    for _ in range(BODIES):
        body, fault = spoil(bodies.valid(), bodies.schema, bodies.random)
        if fault.kind == "missing required" and bracket_path(fault.path) in OPTIONAL_TODAY:
            continue
        named = [error.param for error in check_params(name, body)]
        assert bracket_path(fault.path) in named, (fault, body)


@each_object
def test_every_kind_of_fault_is_tried(name: str) -> None:
    bodies = Bodies(name, seed=3)
    tried = {spoil(bodies.valid(), bodies.schema, bodies.random)[1].kind for _ in range(200)}
    assert tried >= {"unknown name", "wrong type", "bad enum", "too long"}
