"""Make the idempotency keys of the lines of a file that have none of their own."""

from __future__ import annotations

import hashlib
from collections import Counter

_KEY_DIGITS = 40


class LineKeys:
    """The keys of one run of a file.

    A key is derived from the run, the text of the line, and its place among equal lines. So the same line in tomorrow's
    file, which is another run, is another request. An inserted line changes the key of no other line.
    """

    def __init__(self, run: str) -> None:
        self._run = run
        self._places: Counter[bytes] = Counter()
        """How often each text came, by its digest, because the texts of a large file fill the memory."""

    def make_key(self, text: str) -> str:
        """Return the key of the next line with this text."""
        same = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
        self._places[same] += 1
        named = f"{self._run}\n{self._places[same]}\n{text}"
        digest = hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()
        return f"line-{digest[:_KEY_DIGITS]}"
