"""Parses the arguments that several commands share: durations, numbers, URLs, and the flows folder.

Functions for `type=` of `argparse` raise `ArgumentTypeError` with the invalid value.
"""

from __future__ import annotations

import argparse
import math
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from paydispatch.domain.errors import PaydispatchError
from paydispatch.domain.web.protected_urls import is_protected

HIGHEST_PORT = 65_535

LONGEST_AGE_S = 3_650 * 86_400
"""Ten years. A longer duration is a mistake, and would begin before the first day that Python knows."""

_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def age_s(text: str) -> float:
    """Return the seconds of a duration such as 45s, 30m, 2h or 3d."""
    match = _AGE.fullmatch(text)
    age = float(match[1]) * _UNITS_S[match[2]] if match else math.inf
    if age > LONGEST_AGE_S:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 45s, 30m, 2h or 3d")
    return age


def format_age(seconds: float) -> str:
    """Return a duration in the largest unit of which it has at least one and a half: 89s, 60m, 36h, 2d."""
    for unit in "dhm":
        if seconds >= 1.5 * _UNITS_S[unit]:
            return f"{seconds / _UNITS_S[unit]:.0f}{unit}"
    return f"{seconds:.0f}s"


def port(text: str) -> int:
    """Return a TCP port. 0 stands for any free port."""
    if not text.isdecimal() or int(text) > HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to {HIGHEST_PORT}")
    return int(text)


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not (math.isfinite(number) and number > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def rate(text: str) -> float:
    """Return the number per second of `5` or `5/s`."""
    return positive(text.removesuffix("/s"))


def api_url(text: str) -> str:
    """Return the base URL of the HTTP API or of Stripe, without a slash at its end."""
    try:
        usable = urlsplit(text).port != 0 and is_protected(text)
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a URL such as https://api.example.com (http:// is allowed only for this machine)"
        )
    return text.rstrip("/")


def bearer_token() -> str | None:
    """Return the bearer token for the HTTP API from `PAYDISPATCH_TOKEN`, or None."""
    return os.environ.get("PAYDISPATCH_TOKEN") or None


def flows_folder(named: Path | None) -> Path:
    """Return the folder of `--flows`, `FLOWS_DIR` or `./flows`. Raises `PaydispatchError` if it does not exist."""
    folder = (named or Path(os.environ.get("FLOWS_DIR") or "flows")).resolve()
    if not folder.is_dir():
        raise PaydispatchError(f"There is no flows folder {folder}.")
    return folder
