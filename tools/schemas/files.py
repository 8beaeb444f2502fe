"""Writes generated files compactly but with one field per line, so that a diff is readable."""

import json
from pathlib import Path
from typing import Any

from document import Schema

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def write_schemas(path: Path, schemas: dict[str, Schema], definitions: dict[str, Schema]) -> None:
    """Write the parameter schemas of the operations of one object."""
    parts = {"$schema": DRAFT, "operations": schemas, "$defs": definitions}
    lines = [f"{_text(key)}:{_block(value)}" for key, value in parts.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def write_rows(path: Path, rows: dict[str, Any]) -> None:
    """Write a table, with a row on each line."""
    path.write_text(_block(rows) + "\n", encoding="utf-8")


def _block(value: Any) -> str:
    """Return a dict with one entry per line, and any other value on one line."""
    if not isinstance(value, dict):
        return _text(value)
    return (
        "{\n" + ",\n".join(f"{_text(key)}:{_text(entry)}" for key, entry in value.items()) + "\n}"
    )


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def pinned_versions() -> dict[str, str]:
    """Return the version of each package in `requirements.txt` by the name of the package."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return dict(line.removesuffix(" \\").split("==") for line in lines if "==" in line)
