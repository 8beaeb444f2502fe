"""Lengths of time on the command line: 45s, 30m, 2h, 3d."""

from __future__ import annotations

import argparse
import re

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def age_s(text: str) -> float:
    """For `argparse`: the seconds `text` stands for. Raises `ArgumentTypeError`."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no length of time like 45s, 30m, 2h or 3d")
    return float(match[1]) * _UNITS_S[match[2]]


def shown_age(seconds: float) -> str:
    """In the largest unit of which there are at least one and a half: 89s, 60m, 36h, 2d."""
    for unit in "dhm":
        if seconds >= 1.5 * _UNITS_S[unit]:
            return f"{seconds / _UNITS_S[unit]:.0f}{unit}"
    return f"{seconds:.0f}s"
