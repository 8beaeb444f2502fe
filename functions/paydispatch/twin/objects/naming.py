"""Stripe's ids: a prefix and random letters and digits; the same ones again with the same seed."""

from __future__ import annotations

import random
import string

_ALPHABET = string.ascii_letters + string.digits


class Naming:
    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)

    def letters(self, length: int) -> str:
        return "".join(self._random.choices(_ALPHABET, k=length))

    def request_id(self) -> str:
        return "req_" + self.letters(14)
