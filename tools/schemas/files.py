"""How generated files are laid out: compact, yet a field a line, so that a diff can be read."""

import json
from pathlib import Path
from typing import Any

from document import Schema

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def write_schema(path: Path, name: str, schema: Schema) -> None:
    """Write one object's parameter schema."""
    head = {"$schema": DRAFT, "title": name, **schema}
    lines = [f"{_text(key)}:{_block(value)}" for key, value in head.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _block(value: Any) -> str:
    """A dict has an entry a line, anything else is one line."""
    if not isinstance(value, dict):
        return _text(value)
    return (
        "{\n" + ",\n".join(f"{_text(key)}:{_text(entry)}" for key, entry in value.items()) + "\n}"
    )


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def package_versions(sources: Path) -> dict[str, str]:
    """The version of each package unpacked at `sources`, by its name."""
    folders = (folder.stem for folder in sources.glob("*.dist-info"))
    return dict(folder.split("-", 1) for folder in folders)
