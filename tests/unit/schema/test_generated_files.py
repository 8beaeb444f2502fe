"""The files that `make schemas` writes are valid, complete and small."""

import re
from pathlib import Path

import jsonschema_rs
import pytest

import paydispatch
from paydispatch.domain.parameters.check import parameter_names, parameter_schema
from paydispatch.domain.stripe.resources import RESOURCES

PACKAGE = Path(paydispatch.__file__).parent
LARGEST_BYTES = 200 * 1024
"""For the first ten objects."""

each_object = pytest.mark.parametrize("name", [row.name for row in RESOURCES])


def test_all_generated_files_together_stay_small() -> None:
    files = [
        *PACKAGE.glob("schemas/*.json"),
        PACKAGE / "sdk/params.py",
        PACKAGE / "sdk/builders.pyi",
    ]
    assert sum(file.stat().st_size for file in files) <= LARGEST_BYTES


def test_there_is_one_schema_for_each_row_and_no_other() -> None:
    files = {file.stem for file in PACKAGE.glob("schemas/*.json")}
    assert files == {row.identifier for row in RESOURCES}


@each_object
def test_each_schema_is_valid_json_schema_2020_12(name: str) -> None:
    assert jsonschema_rs.Draft202012Validator(parameter_schema(name))
    assert jsonschema_rs.meta.is_valid(parameter_schema(name))


@each_object
def test_the_stub_has_every_parameter_as_a_method(name: str) -> None:
    stub = (PACKAGE / "sdk/builders.pyi").read_text("utf-8")
    title = "".join(part.capitalize() for part in re.split("[._]", name))
    block = stub.split(f"class _{title}(Parameters):")[1].split("\nclass ")[0]
    assert set(re.findall(r"    def (\w+)\(self", block)) == parameter_names(name)


def test_a_deprecated_field_is_marked_as_deprecated() -> None:
    product_data = parameter_schema("price")["properties"]["product_data"]
    assert product_data["properties"]["id"]["deprecated"] is True
