"""The files that `make schemas` writes are valid, complete and small."""

import gzip
import json
import os
import re
import subprocess
import sys
import zlib
from importlib.metadata import version
from pathlib import Path

import jsonschema_rs
import pytest

import paydispatch
from paydispatch.domain.parameters.check import (
    DEFINITIONS,
    check_params,
    parameter_names,
    parameter_schema,
)
from paydispatch.domain.stripe.operations import TABLE, all_operations
from paydispatch.domain.stripe.resources import RESOURCES, create_of
from paydispatch.domain.text.json_rows import read_rows

PACKAGE = Path(paydispatch.__file__).parent
ROOT = PACKAGE.parents[1]
OBJECTS = {row.object.replace(".", "_") for row in all_operations()}
LARGEST_BYTES = 160 * 1024
"""Compressed, as in the zip of a Lambda or in a wheel."""

each_object = pytest.mark.parametrize("name", [row.name for row in RESOURCES])
each_operation = pytest.mark.parametrize("name", [row.name for row in all_operations()])


def test_all_generated_files_together_stay_small() -> None:
    files = [
        *PACKAGE.glob("schemas/*.json"),
        PACKAGE / "sdk/params.py",
        PACKAGE / "sdk/builders.pyi",
        TABLE,
    ]
    assert sum(len(zlib.compress(file.read_bytes())) for file in files) <= LARGEST_BYTES


GENERATE = """
import sys
sys.path.insert(0, "tools/schemas")
import gzip, json
from pathlib import Path
import stripe
from generate import generate

document = json.loads(gzip.decompress(Path("tests/data/document_writes.json.gz").read_bytes()))
generate(document, Path(stripe.__file__).parents[1], Path(sys.argv[1]))
"""


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_pinned_sources_give_the_same_bytes_every_time(tmp_path: Path, seed: str) -> None:
    """The installed library is the pinned one. The document's writes are in an extract. The order of sets differs."""
    package = "functions/paydispatch"
    folders = (
        f"{package}/schemas",
        f"{package}/sdk",
        f"{package}/domain/stripe",
        "tests/data",
        "docs",
    )
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-c", GENERATE, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=True,
    )
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*.*") if path.is_file()]
    assert len(written) == len(OBJECTS) + 10
    different = [path for path in written if _content(tmp_path / path) != _content(ROOT / path)]
    assert different == []


def _content(path: Path) -> bytes:
    raw = path.read_bytes()
    return gzip.decompress(raw) if path.suffix == ".gz" else raw  # compressors differ


def test_the_library_that_the_tests_use_is_the_pinned_one() -> None:
    pins = (ROOT / "tools/schemas/requirements.txt").read_text("utf-8")
    assert f"stripe=={version('stripe')} " in pins


def test_there_is_one_file_for_each_object_and_one_schema_for_each_operation() -> None:
    files = {file.stem: json.loads(file.read_bytes()) for file in PACKAGE.glob("schemas/*.json")}
    names = [row for rows in files.values() for row in rows if not row.startswith(DEFINITIONS)]
    assert files.keys() == OBJECTS
    assert sorted(names) == [row.name for row in all_operations()]


def test_the_definitions_of_a_file_are_all_used() -> None:
    for file in PACKAGE.glob("schemas/*.json"):
        rows = json.loads(file.read_bytes())
        operations = [row for row in rows if not row.startswith(DEFINITIONS)]
        used = {name for row in operations for name in parameter_schema(row).get("$defs", ())}
        assert len(rows) == len(operations) + len(used)


def test_each_row_of_a_file_is_on_a_line_of_its_own() -> None:
    for file in (TABLE, *PACKAGE.glob("schemas/*.json")):
        rows = {name: json.loads(text) for name, text in read_rows(file).items()}
        assert rows == json.loads(file.read_bytes())


@each_operation
def test_each_schema_is_valid_json_schema_2020_12(name: str) -> None:
    assert jsonschema_rs.Draft202012Validator(parameter_schema(name))
    assert jsonschema_rs.meta.is_valid(parameter_schema(name))


@each_object
def test_the_stub_has_every_parameter_as_a_method(name: str) -> None:
    stub = (PACKAGE / "sdk/builders.pyi").read_text("utf-8")
    title = "".join(part.capitalize() for part in re.split("[._]", name))
    block = stub.split(f"class _{title}(Parameters):")[1].split("\nclass ")[0]
    assert set(re.findall(r"    def (\w+)\(self", block)) == parameter_names(create_of(name))


def test_a_deprecated_field_is_marked_as_deprecated() -> None:
    product_data = parameter_schema("create_price")["properties"]["product_data"]
    assert product_data["properties"]["id"]["deprecated"] is True


def test_the_schemas_have_what_the_document_leaves_out() -> None:
    """`tools/schemas/beyond_document.py` lists it."""
    data = parameter_schema("create_payment_intent")["properties"]["payment_method_data"]
    assert data["properties"]["card"]["required"] == ["token"]


def test_an_id_that_the_document_lets_be_unset_may_be_empty() -> None:
    assert check_params("create_subscription", {"customer": "cus_1", "on_behalf_of": ""}) == ()
    assert len(check_params("create_subscription", {"customer": ""})) == 1
