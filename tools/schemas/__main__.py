"""Generates every file that is derived from Stripe's OpenAPI document and its library. `make schemas` runs it.

    python tools/schemas SOURCES

SOURCES is the folder with the unpacked packages of `requirements.txt`.
"""

import sys
from pathlib import Path

from document import read_document
from generate import generate
from library import library_version

from paydispatch.domain.stripe.stripe_version import OLDER_API_VERSION, STRIPE_API_VERSION

ROOT = Path(__file__).parents[2]


def main(sources: Path) -> None:
    """Read the packages in `sources`, and write the generated files."""
    document = read_document(sources)
    check_version("document", document["info"]["version"], OLDER_API_VERSION)
    check_version("library", library_version(sources), STRIPE_API_VERSION)
    generate(document, sources, ROOT)


def check_version(source: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise SystemExit(f"The {source} has the version {found}. It must be {wanted}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
