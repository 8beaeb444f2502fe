"""Makes the random part of Stripe's ids. The same seed gives the same ids again."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALPHABET = string.ascii_letters + string.digits


class Naming:
    """A generator of random letters and digits."""

    def __init__(self, seed: int | str | None = None) -> None:
        self._random = random.Random(seed)

    def letters(self, length: int) -> str:
        return "".join(self._random.choices(_ALPHABET, k=length))

    def request_id(self) -> str:
        return "req_" + self.letters(14)


def id_after(prefix: str, owner: Mapping[str, Any]) -> str:
    """Return the id of an object that follows from another one: `ch_X` for the charge of `pi_X`."""
    return f"{prefix}_{owner['id'].rpartition('_')[2]}"
