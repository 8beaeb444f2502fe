"""Numbers on the command line, for `argparse`: each function raises `ArgumentTypeError` for what is none."""

from __future__ import annotations

import argparse
import math

HIGHEST_PORT = 65_535


def port(text: str) -> int:
    """Of TCP; 0 stands for any free one."""
    if not text.isdecimal() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to {HIGHEST_PORT}")
    return int(text)


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def rate(text: str) -> float:
    """So many a second: 5 or 5/s."""
    return positive(text.removesuffix("/s"))
