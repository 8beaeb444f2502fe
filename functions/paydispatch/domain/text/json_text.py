"""Read JSON text of other programs at any depth of nesting.

Python's own reader fails at a depth that differs between Python's versions. Our limit on the depth is checked after
reading. Therefore this reader must not fail first.
"""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BYTE_ORDER_MARK = "\ufeff"
"""Some editors begin a UTF-8 file with it. It is not a part of the text."""

MOST_LEVELS_READ = 64
"""The number of levels that are read, which is more than any valid text has. A deeper value is read as `null`."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)
"""A bracket, or a string. A string without a closing quote extends to the end of the text."""


def read_json(
    text: str | bytes, *, object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    """Read a JSON text. Raises `ValueError` if it is not JSON, or holds `NaN` or `Infinity`.

    `object_pairs_hook` is that of `json.loads`. It sees each object with all its names, also with equal ones.
    """
    read = partial(json.loads, parse_constant=_refuse_constant, object_pairs_hook=object_pairs_hook)
    try:
        return read(text)
    except RecursionError:
        return read("".join(_cut(text if isinstance(text, str) else text.decode())))


def _cut(text: str) -> Iterator[str]:
    """Yield the text with `null` in the place of every value below the limit."""
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
    raise ValueError(f"{name} is not JSON")
