"""Generates every file that is derived from Stripe's OpenAPI document. `make schemas` runs it.

    python tools/schemas SOURCES

SOURCES is the folder with the unpacked packages of `requirements.txt`. The objects come from the table of objects, so
that a new row needs no change here.
"""

import sys
from pathlib import Path

from document import Schema, create_schema, read_document
from extract import write_extract
from fields import differences, schema_fields
from files import package_versions, write_schema
from library import library_fields
from naming import TypeNames
from report import report
from shared import share
from simplify import simplify
from typing_files import builders_module, builders_stub, params_module
from widen import widen

from paydispatch.domain.stripe.resources import RESOURCES, Resource
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION

ROOT = Path(__file__).parents[2]


def main(sources: Path, root: Path = ROOT) -> None:
    """Read the packages in `sources`, and write the generated files below `root`."""
    document = read_document(sources)
    if document["info"]["version"] != STRIPE_API_VERSION:
        raise SystemExit(
            f"The document has the version {document['info']['version']}. It must be {STRIPE_API_VERSION}."
        )
    requests = {row: create_schema(document, row.endpoint) for row in RESOURCES}
    schemas = {row: simplify(request) for row, request in requests.items()}
    write_evidence(root, sources, requests, schemas)
    for row, schema in schemas.items():
        widen(schema, schema_fields(schema), library_fields(sources, row.name))
    write_package(root / "functions" / "paydispatch", requests, schemas)


Schemas = dict[Resource, Schema]


def write_package(package: Path, requests: Schemas, schemas: Schemas) -> None:
    """Write the files of the installed package: the schemas and the types."""
    names = TypeNames({row.name: schema for row, schema in schemas.items()})
    for row, schema in schemas.items():
        write_schema(package / "schemas" / f"{row.identifier}.json", row.name, share(schema))
    (package / "sdk/params.py").write_text(params_module(names), encoding="utf-8")
    (package / "sdk/builders.py").write_text(builders_module(list(schemas)), encoding="utf-8")
    (package / "sdk/builders.pyi").write_text(
        builders_stub(requests, schemas, names), encoding="utf-8"
    )


def write_evidence(root: Path, sources: Path, requests: Schemas, schemas: Schemas) -> None:
    """Write the files for checking: the requests that the tests start from, and the report of differences."""
    raw = {row.name: request for row, request in requests.items()}
    write_extract(root / "tests/data/create_requests.json.gz", sources, STRIPE_API_VERSION, raw)
    found = {
        row.name: differences(schema_fields(schema), library_fields(sources, row.name))
        for row, schema in schemas.items()
    }
    text = report(STRIPE_API_VERSION, found, package_versions(sources))
    (root / "docs/schema-differences.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
