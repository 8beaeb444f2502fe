"""Generates every file that is derived from Stripe's OpenAPI document and its library. `make schemas` runs it.

    python tools/schemas SOURCES

SOURCES is the folder with the unpacked packages of `requirements.txt`. The objects come from the table of objects, so
that a new row needs no change here.
"""

import sys
from pathlib import Path

from document import create_schema, read_document
from generate import generate, write_operations
from library import library_version

from paydispatch.domain.stripe.resources import RESOURCES
from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION

ROOT = Path(__file__).parents[2]


def main(sources: Path) -> None:
    """Read the packages in `sources`, and write the generated files."""
    document = read_document(sources)
    check_version("document", document["info"]["version"], OLDER_API_VERSION)
    check_version("library", library_version(sources), STRIPE_API_VERSION)
    requests = {row: create_schema(document, row.endpoint) for row in RESOURCES}
    generate(requests, sources, ROOT)
    write_operations(document, sources, ROOT)


def check_version(source: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise SystemExit(f"The {source} has the version {found}. It must be {wanted}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
