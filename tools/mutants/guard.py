"""The type of a guard, and the paths of the code and the tests."""

from __future__ import annotations

from dataclasses import dataclass

PROTOCOL = ("tests/unit/services", "tests/unit/domain", "tests/model")

SOURCE = "functions/paydispatch/"
LUA = SOURCE + "adapters/redis/lua/"

LATCH = "After an unknown attempt, a later refusal cannot turn the outcome into “not created”."


@dataclass(frozen=True)
class Guard:
    """One guard of a promise. `old` occurs exactly once in `file`. Replacing it by `new` makes `sentence` false."""

    name: str
    sentence: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = PROTOCOL
