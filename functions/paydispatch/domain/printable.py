"""Text of others on the terminal of an operator: nothing in it moves the cursor, hides a word or forges a line."""

from __future__ import annotations

import re

from paydispatch.domain.redaction import redact

_NOT_SHOWN_AS_IT_IS = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: ESC begins what a terminal obeys
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # these turn the direction of writing round
    "\u2028\u2029"  # line ends
    "\ud800-\udfff]"  # halves of characters, which cannot be written
)


def printable(text: object) -> str:
    r"""Return one line: what would control the terminal as `\x1b`, every key blotted out."""
    return _NOT_SHOWN_AS_IT_IS.sub(lambda found: ascii(found[0])[1:-1], redact(str(text)))


def printable_lines(text: object) -> str:
    """The same for a text of several lines, which a program of ours put together."""
    return "\n".join(map(printable, str(text).split("\n")))
