"""The names that users import from `paydispatch`."""

import pydoc
import re
from pathlib import Path

import pytest

import paydispatch
from paydispatch.domain.stripe.resources import RESOURCES

SDK = Path(paydispatch.__file__).parent / "sdk"
FUNCTIONS = [
    name
    for row in RESOURCES
    for name in (f"new_{row.identifier}", f"create_{row.identifier}_async")
]


@pytest.mark.parametrize("name", dir(paydispatch))
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(paydispatch, name).__name__ == name


def test_every_object_has_its_two_functions_at_the_top_level() -> None:
    assert set(FUNCTIONS) <= set(dir(paydispatch))


def test_a_star_import_brings_every_public_name() -> None:
    names: dict[str, object] = {}
    exec("from paydispatch import *", names)  # noqa: S102
    assert set(dir(paydispatch)) <= set(names)


def test_the_help_text_shows_every_error_in_a_tree() -> None:
    shown = pydoc.plain(pydoc.render_doc(paydispatch))
    errors = [
        name
        for name in dir(paydispatch)
        if isinstance(getattr(paydispatch, name), type)
        and issubclass(getattr(paydispatch, name), paydispatch.PaydispatchError)
    ]
    tree = re.findall(r"^ *[│ ]*(?:[├└]── )?(\w+) {2,}", shown, re.MULTILINE)
    assert set(errors) <= set(tree)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_search_for_a_function_finds_its_definition(name: str) -> None:
    assert f"\ndef {name}(" in (SDK / "builders.py").read_text("utf-8")


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'paydispatch' has no attribute 'new'"):
        _ = paydispatch.new  # type: ignore[attr-defined]
