"""Make foreign text safe for an operator's terminal: it cannot move the cursor, hide a word or forge a line."""

from __future__ import annotations

import re

from paydispatch.domain.text.redaction import redact

_NOT_SHOWN_AS_IT_IS = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters: ESC begins a command to the terminal
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # these change the direction of writing
    "\u2028\u2029"  # line ends
    "\ud800-\udfff]"  # halves of surrogate pairs, which UTF-8 cannot write
)


def printable(text: object) -> str:
    r"""Return the text as one line. Control characters are written like `\x1b`, and keys are redacted."""
    return _NOT_SHOWN_AS_IT_IS.sub(lambda found: ascii(found[0])[1:-1], redact(str(text)))


def printable_lines(text: object) -> str:
    """Return several lines, each made printable. The line breaks must be our own."""
    return "\n".join(map(printable, str(text).split("\n")))
