"""Writes the request schemas of the create calls, as they are in Stripe's document, for the property tests.

The tests generate bodies from these schemas instead of ours, so that they find mistakes in the conversion.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from document import DOCUMENT, Schema


def write_extract(path: Path, sources: Path, version: str, requests: Mapping[str, Schema]) -> None:
    """Write the compressed requests, with the hash of the document that they come from."""
    document_sha256 = hashlib.sha256((sources / DOCUMENT).read_bytes()).hexdigest()
    extract = {"version": version, "document_sha256": document_sha256, "requests": requests}
    if (
        not path.exists() or _read(path) != extract
    ):  # not for equal content, because compressors differ
        path.write_bytes(gzip.compress(json.dumps(extract).encode(), mtime=0))


def _read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))
