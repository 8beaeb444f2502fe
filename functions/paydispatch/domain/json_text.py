"""Read JSON text that others wrote, whatever its depth.

Python's own reader gives up at a depth that differs between its versions. A limit of ours is checked on what was
read, so each text has to be readable first.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

BYTE_ORDER_MARK = "\ufeff"
"""Some editors begin a file in UTF-8 with it. It is no part of the text."""

MOST_LEVELS_READ = 64
"""More than anything here may have. What is nested below reads as `null`."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
"""A text, to its end if it has no closing quote, or a bracket."""


def read_json(text: str | bytes) -> Any:
    """Raises `ValueError` for what is no JSON; `NaN` and `Infinity` are none."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        shallow = "".join(_cut(text if isinstance(text, str) else text.decode()))
        return json.loads(shallow, parse_constant=_refuse_constant)


def _cut(text: str) -> Iterator[str]:
    """What stands above the limit, with `null` for what does not."""
    depth = begins = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == MOST_LEVELS_READ + 1:
                yield text[begins : token.start()] + "null"
        elif token[0] in "]}":
            if depth == MOST_LEVELS_READ + 1:
                begins = token.end()
            depth -= 1
    if depth <= MOST_LEVELS_READ:
        yield text[begins:]


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
