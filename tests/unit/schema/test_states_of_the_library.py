"""The states of the table of proofs, held to the types of Stripe's official library.

A misspelt state would prove nothing for ever, and no other test would notice it.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import pytest
from stripe._object_classes import OBJECT_CLASSES

from paydispatch.domain.stripe.operations import operation_named
from paydispatch.domain.stripe.states import RULES

CLASSES = {name.replace(".", "_"): place for name, place in OBJECT_CLASSES.items()}
OTHER_NAMES = {"customer_subscription": "subscription"}


def class_of(operation: str) -> Any:
    name = operation_named(operation).object.replace(".", "_")
    module, class_name = CLASSES[OTHER_NAMES.get(name, name)]
    return getattr(import_module(module), class_name)


def values_of(annotation: Any) -> set[Any]:
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    simple: dict[Any, set[Any]] = {bool: {True, False}, NoneType: {None}}
    inner = [values_of(part) for part in get_args(annotation)]
    return set().union(*inner) if inner else simple.get(annotation, set())


def states_of(owner: Any, field: str) -> set[Any]:
    """Return the values that the library gives a field: those of its type, or else those that its text names."""
    values = values_of(owner.__annotations__[field])
    if values - {None}:
        return values
    described = re.search(rf'\n    {field}: [^"]*"""(.*?)"""', inspect.getsource(owner), re.DOTALL)
    assert described is not None, (owner, field)
    return values | set(re.findall(r"`(\w+)`", described[1]))


@pytest.mark.parametrize("name", RULES)
def test_the_library_knows_each_state(name: str) -> None:
    rule = RULES[name]
    assert {*rule.done, *rule.undone} <= states_of(class_of(name), rule.field)


@pytest.mark.parametrize("name", RULES)
def test_the_library_knows_each_member_that_shows_a_parameter(name: str) -> None:
    rule = RULES[name]
    assert {member for _, member in rule.same} <= class_of(name).__annotations__.keys()
