"""Writes generated files compactly but with one row per line, so that a diff is readable."""

import json
from pathlib import Path
from typing import Any

from document import Schema

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def write_schemas(path: Path, schemas: dict[str, Schema], definitions: dict[str, Schema]) -> None:
    """Write the parameter schemas of the operations of one object, and the definitions they refer to."""
    write_rows(path, {**schemas, **{f"#/$defs/{name}": part for name, part in definitions.items()}})


def write_rows(path: Path, rows: dict[str, Any]) -> None:
    """Write a table with a row on each line, so that a program can parse one row alone."""
    lines = [f"{_text(key)}:{_text(row)}" for key, row in rows.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def pinned_versions() -> dict[str, str]:
    """Return the version of each package in `requirements.txt` by the name of the package."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return dict(line.removesuffix(" \\").split("==") for line in lines if "==" in line)
