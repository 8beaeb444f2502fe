"""Writes the OpenAPI document twice: on one line for the API, and on a line for each path and component for readers.

    PYTHONPATH=tools python -m openapi

`make schemas` runs it. It needs only the code. Run it after generating the parameter schemas.
"""

import json
from pathlib import Path
from typing import Any

from openapi.document import document

ROOT = Path(__file__).parents[2]
SERVED = ROOT / "functions/paydispatch/handlers/api/openapi.json"
READ = ROOT / "docs/openapi.json"


def main() -> None:
    built = document()
    SERVED.write_text(json.dumps(built, separators=(",", ":")) + "\n", encoding="utf-8")
    READ.write_text(lay_out(built) + "\n", encoding="utf-8")


def lay_out(built: dict[str, Any]) -> str:
    """Return the document as JSON with a line for each path and each component, so that a change shows where it is."""
    parts = {name: _compact(part) for name, part in built.items()}
    parts["paths"] = _lines(_each(built["paths"]))
    components = {name: _lines(_each(entries)) for name, entries in built["components"].items()}
    parts["components"] = _lines(components)
    return _lines(parts)


def _each(entries: dict[str, Any]) -> dict[str, str]:
    return {name: _compact(entry) for name, entry in entries.items()}


def _lines(texts: dict[str, str]) -> str:
    return "{\n" + ",\n".join(f"{_compact(name)}:{text}" for name, text in texts.items()) + "\n}"


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    main()
