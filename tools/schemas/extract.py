"""Writes the parameters of the create calls as Stripe's document and its library have them, for the property tests.

The tests generate bodies from these files instead of our schemas, so that they find mistakes in the conversion.
"""

import gzip
import json
from pathlib import Path
from typing import Any


def write_extract(path: Path, extract: dict[str, Any]) -> None:
    """Write `extract`, compressed. Do not write equal content again, because compressors differ."""
    if not path.exists() or _read(path) != extract:
        path.write_bytes(gzip.compress(json.dumps(extract).encode(), mtime=0))


def _read(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))
