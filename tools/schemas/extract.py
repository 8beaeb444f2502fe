"""The create calls' request schemas as the document has them, for the property tests.

The tests make their bodies from these, not from our schemas, so that a mistake in between shows.
"""

import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from document import DOCUMENT, Schema


def write_extract(path: Path, sources: Path, version: str, requests: Mapping[str, Schema]) -> None:
    """Write the requests, compressed, with the hash of the document they are from."""
    document_sha256 = hashlib.sha256((sources / DOCUMENT).read_bytes()).hexdigest()
    extract = {"version": version, "document_sha256": document_sha256, "requests": requests}
    if not path.exists() or _read(path) != extract:  # compressors differ; the same content stays
        path.write_bytes(gzip.compress(json.dumps(extract).encode(), mtime=0))


def _read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))
