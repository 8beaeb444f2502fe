"""Write the OpenAPI document twice: compact for the API to serve, and in lines to be read. Run by `make schemas`.

    PYTHONPATH=tools python -m openapi

Needs only the code. Run it after the parameter schemas were generated.
"""

import json
from pathlib import Path
from typing import Any

from openapi.document import document

ROOT = Path(__file__).parents[2]
SERVED = ROOT / "functions/paydispatch/handlers/api/openapi.json"
READ = ROOT / "docs/openapi.json"
LINE = 100
"""What fits in so many characters stands on one line."""


def main() -> None:
    built = document()
    SERVED.write_text(json.dumps(built) + "\n", encoding="utf-8")
    READ.write_text(laid_out(built) + "\n", encoding="utf-8")


def laid_out(value: Any, indent: str = "") -> str:
    """`value` as JSON, a line for each entry of what is too long for one."""
    text = json.dumps(value, ensure_ascii=False)
    if len(indent + text) <= LINE or not isinstance(value, dict | list):
        return text
    inner = indent + " "
    if isinstance(value, list):
        entries = [laid_out(entry, inner) for entry in value]
        return _block(entries, "[]", indent)
    fields = [f"{json.dumps(name)}: {laid_out(part, inner)}" for name, part in value.items()]
    return _block(fields, "{}", indent)


def _block(entries: list[str], brackets: str, indent: str) -> str:
    opened, closed = brackets[0], brackets[1]
    lines = f",\n{indent} ".join(entries)
    return f"{opened}\n{indent} {lines}\n{indent}{closed}"


if __name__ == "__main__":
    main()
