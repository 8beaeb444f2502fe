"""Reads single members of a large JSON object without parsing the rest.

A generated file has an object with a member on each line, so that a program parses only the lines it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def read_rows(path: Path) -> dict[str, str]:
    """Return the JSON text of each member by its name: the line `"a":{"b":1},` is `{"a": '{"b":1}'}`."""
    lines = path.read_text("utf-8").split("\n")[1:-2]
    pairs = (line.removesuffix(",").partition(":") for line in lines)
    return {name[1:-1]: text for name, _, text in pairs}
