"""What a guard is, and where its code and its tests lie."""

from __future__ import annotations

from dataclasses import dataclass

PROTOCOL = ("tests/unit/services", "tests/unit/domain", "tests/model")

SOURCE = "functions/paydispatch/"
LUA = SOURCE + "adapters/redis/lua/"

LATCH = "Once any attempt was unknown, a later refusal cannot turn the request into “not created”."


@dataclass(frozen=True)
class Guard:
    """`old` stands exactly once in `file`; with `new` in its place `sentence` is no longer true."""

    name: str
    sentence: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = PROTOCOL
