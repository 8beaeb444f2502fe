"""The HTTP messages as plain values: a call, its answer, and the way in which the connection ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request as it arrived."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""

    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


class Ending(StrEnum):
    """The way in which the connection ends after the latency."""

    WHOLE = "whole"
    """The answer arrives."""

    RESET = "reset"
    """The connection is reset and no byte of the answer arrives."""

    CUT_OFF = "cut_off"
    """The head and half of the body arrive, then the connection closes."""

    HANG = "hang"
    """Nothing arrives until the client gives up."""
