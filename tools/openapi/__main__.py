"""Writes the OpenAPI document twice: compactly for the API, and on many lines for readers. `make schemas` runs it.

    PYTHONPATH=tools python -m openapi

It needs only the code. Run it after generating the parameter schemas.
"""

import json
from pathlib import Path
from typing import Any

from openapi.document import document

ROOT = Path(__file__).parents[2]
SERVED = ROOT / "functions/paydispatch/handlers/api/openapi.json"
READ = ROOT / "docs/openapi.json"
LINE = 100
"""The longest line in characters. A longer value is divided into lines."""


def main() -> None:
    built = document()
    SERVED.write_text(json.dumps(built, separators=(",", ":")) + "\n", encoding="utf-8")
    READ.write_text(lay_out(built) + "\n", encoding="utf-8")


def lay_out(value: Any, indent: str = "") -> str:
    """Return `value` as JSON. A value that is too long for one line has one line per entry."""
    text = json.dumps(value, ensure_ascii=False)
    if len(indent + text) <= LINE or not isinstance(value, dict | list):
        return text
    inner = indent + " "
    if isinstance(value, list):
        entries = [lay_out(entry, inner) for entry in value]
        return _block(entries, "[]", indent)
    fields = [f"{json.dumps(name)}: {lay_out(part, inner)}" for name, part in value.items()]
    return _block(fields, "{}", indent)


def _block(entries: list[str], brackets: str, indent: str) -> str:
    opened, closed = brackets[0], brackets[1]
    lines = f",\n{indent} ".join(entries)
    return f"{opened}\n{indent} {lines}\n{indent}{closed}"


if __name__ == "__main__":
    main()
