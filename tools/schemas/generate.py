"""Writes the generated files from the document and from the library."""

from pathlib import Path

from beyond_document import add_undocumented, forbid_empty
from document import Schema
from extract import extract_document, write_extract
from files import pinned_versions, write_rows, write_schemas
from library import library_annotations, library_meanings, library_schema
from merge import merge
from naming import TypeNames
from operation_table import Calls, Sources, Table, left_out_calls, read_table, rows
from operation_types import operations_stub
from operations_page import operations_page
from report import report
from shared import share
from simplify import simplify
from typing_files import builders_module, builders_stub, params_module

from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION

VERSIONS = (OLDER_API_VERSION, STRIPE_API_VERSION)

Schemas = dict[str, Schema]
"""A schema for each operation, by its name."""


def generate(document: Schema, sources: Path, root: Path) -> None:
    """Write every file below `root`. `sources` is the folder with the library."""
    calls = Calls(document, sources)
    table = read_table(calls)
    described = {
        row.name: simplify(row.documented.request) for row in table.operations if row.documented
    }
    typed = {
        row.name: library_schema(sources, row.typed.params) for row in table.operations if row.typed
    }
    schemas = {row.name: _schema(row.name, described, typed) for row in table.operations}
    write_table(root, calls, table)
    write_parameters(root / "functions/paydispatch/schemas", table, schemas)
    write_types(root / "functions/paydispatch/sdk", sources, table, schemas)
    stub = operations_stub(table.operations)
    (root / "functions/paydispatch/operations.pyi").write_text(stub, encoding="utf-8")
    write_extracts(root / "tests/data", document, sources, table)
    write_report(root / "docs/schema-differences.md", described, typed)


def _schema(name: str, described: Schemas, typed: Schemas) -> Schema:
    """Return the parameters of an operation, joined from the sources that know it."""
    if name in described and name in typed:
        schema = merge(described[name], typed[name], OLDER_API_VERSION)
    else:
        schema = described.get(name) or typed[name]
    add_undocumented(name, schema)
    return schema


def write_table(root: Path, calls: Calls, table: Table) -> None:
    """Write the table of operations, for the package and for people."""
    found = rows(calls, table.operations)
    folder = root / "functions/paydispatch/domain/stripe"
    write_rows(folder / "operations.json", found)
    write_rows(folder / "left_out.json", left_out_calls(table.left_out))
    page = operations_page(found, table.left_out, VERSIONS)
    (root / "docs/operations-table.md").write_text(page, encoding="utf-8")


def write_parameters(folder: Path, table: Table, schemas: Schemas) -> None:
    """Write the schemas of each object, with the rules about empty texts that no source has."""
    objects: dict[str, dict[str, Schema]] = {}
    for row in sorted(table.operations, key=_create_first):
        strict = forbid_empty(schemas[row.name], row.documented.request if row.documented else {})
        objects.setdefault(row.object, {})[row.name] = strict
    for name, operations in objects.items():
        write_schemas(folder / f"{name}.json", *share(operations))


def _create_first(row: Sources) -> tuple[bool, str]:
    return row.name != f"create_{row.object}", row.name


def write_types(folder: Path, sources: Path, table: Table, schemas: Schemas) -> None:
    """Write the types of the SDK's builders, with descriptions from the document, or else from the library."""
    creates = {row: schemas[row.operation] for row in RESOURCES}
    names = TypeNames({row.name: schema for row, schema in creates.items()})
    known = {row.name: row for row in table.operations}
    meanings = {row: _meanings(sources, known[row.operation]) for row in RESOURCES}
    (folder / "params.py").write_text(params_module(names), encoding="utf-8")
    (folder / "builders.py").write_text(builders_module(list(creates)), encoding="utf-8")
    (folder / "builders.pyi").write_text(builders_stub(meanings, creates, names), encoding="utf-8")


def _meanings(sources: Path, row: Sources) -> dict[str, str]:
    typed = library_meanings(sources, row.typed.params) if row.typed else {}
    described = row.documented.request["properties"] if row.documented else {}
    return typed | {
        name: part["description"] for name, part in described.items() if part.get("description")
    }


def write_extracts(folder: Path, document: Schema, sources: Path, table: Table) -> None:
    """Write the parameters as each source describes them, for the tests."""
    calls = {(row.method, row.path) for row in table.operations}
    typed = {
        row.name: library_annotations(sources, row.typed.params)
        for row in table.operations
        if row.typed
    }
    write_extract(folder / "document_writes.json.gz", extract_document(document, calls))
    library = {"version": STRIPE_API_VERSION, "operations": typed}
    write_extract(folder / "library_writes.json.gz", library)


def write_report(path: Path, described: Schemas, typed: Schemas) -> None:
    both = {name: (described[name], typed[name]) for name in described if name in typed}
    path.write_text(report(VERSIONS, both, pinned_versions()), encoding="utf-8")
