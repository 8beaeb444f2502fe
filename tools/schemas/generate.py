"""Writes the generated files from the requests of the document and from the library."""

from pathlib import Path

from beyond_document import add_undocumented, forbid_empty
from document import Schema
from extract import write_extract
from files import pinned_versions, write_rows, write_schema
from library import library_annotations, library_meanings, library_schema
from merge import merge
from naming import TypeNames
from operation_table import Calls, read_table, rows
from operations_page import operations_page
from report import report
from shared import share
from simplify import simplify
from typing_files import builders_module, builders_stub, params_module

from paydispatch.domain.stripe.resources import Resource
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION

Schemas = dict[Resource, Schema]


def generate(requests: Schemas, sources: Path, root: Path) -> None:
    """Write every file below `root`.

    `requests` has the request schemas as they are in the document. `sources` is the folder with the library.
    """
    described = {row: simplify(request) for row, request in requests.items()}
    typed = {row: library_schema(sources, row.name) for row in requests}
    schemas = {row: merge(described[row], typed[row], OLDER_API_VERSION) for row in requests}
    for row, schema in schemas.items():
        add_undocumented(row.name, schema)
    write_schemas(root / "functions/paydispatch/schemas", requests, schemas)
    write_types(root / "functions/paydispatch/sdk", sources, requests, schemas)
    write_extracts(root / "tests/data", sources, requests)
    write_report(root / "docs/schema-differences.md", described, typed)


def write_operations(document: Schema, sources: Path, root: Path) -> None:
    """Write the table of operations, for the package and for people."""
    calls = Calls(document, sources)
    table = read_table(calls)
    found = rows(calls, table.operations)
    write_rows(root / "functions/paydispatch/domain/stripe/operations.json", found)
    shown = operations_page(found, table.left_out, (OLDER_API_VERSION, STRIPE_API_VERSION))
    (root / "docs/operations-table.md").write_text(shown, encoding="utf-8")


def write_schemas(folder: Path, requests: Schemas, schemas: Schemas) -> None:
    """Write the schema of each object, with the rules about empty texts that no source has."""
    for row, schema in schemas.items():
        strict = forbid_empty(schema, requests[row])
        write_schema(folder / f"{row.identifier}.json", row.name, share(strict))


def write_types(folder: Path, sources: Path, requests: Schemas, schemas: Schemas) -> None:
    """Write the types of the SDK, with descriptions from the document, or else from the library."""
    names = TypeNames({row.name: schema for row, schema in schemas.items()})
    meanings = {row: _meanings(sources, row, request) for row, request in requests.items()}
    (folder / "params.py").write_text(params_module(names), encoding="utf-8")
    (folder / "builders.py").write_text(builders_module(list(schemas)), encoding="utf-8")
    (folder / "builders.pyi").write_text(builders_stub(meanings, schemas, names), encoding="utf-8")


def _meanings(sources: Path, row: Resource, request: Schema) -> dict[str, str]:
    described = request["properties"].items()
    return {
        **library_meanings(sources, row.name),
        **{name: part["description"] for name, part in described if part.get("description")},
    }


def write_extracts(folder: Path, sources: Path, requests: Schemas) -> None:
    """Write the parameters as each source describes them, for the property tests."""
    raw = {row.name: request for row, request in requests.items()}
    typed = {row.name: library_annotations(sources, row.name) for row in requests}
    document = {"version": OLDER_API_VERSION, "requests": raw}
    library = {"version": STRIPE_API_VERSION, "creates": typed}
    write_extract(folder / "create_requests.json.gz", document)
    write_extract(folder / "create_annotations.json.gz", library)


def write_report(path: Path, described: Schemas, typed: Schemas) -> None:
    pairs = {row.name: (described[row], typed[row]) for row in described}
    text = report((OLDER_API_VERSION, STRIPE_API_VERSION), pairs, pinned_versions())
    path.write_text(text, encoding="utf-8")
