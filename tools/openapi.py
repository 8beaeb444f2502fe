"""Write `docs/openapi.json`: the document the API serves, laid out to be read. By `make schemas`.

    python tools/openapi.py

Needs nothing but the code: run it after the parameter schemas were generated.
"""

import json
from pathlib import Path
from typing import Any

from paydispatch.handlers.api.openapi.document import document

OUTPUT = Path(__file__).parents[1] / "docs/openapi.json"
LINE = 100
"""What fits in so many characters stands on one line."""


def main() -> None:
    OUTPUT.write_text(laid_out(document()) + "\n", encoding="utf-8")


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
    opened, closed = brackets
    lines = f",\n{indent} ".join(entries)
    return f"{opened}\n{indent} {lines}\n{indent}{closed}"


if __name__ == "__main__":
    main()
