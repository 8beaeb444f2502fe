"""Read the value of one environment variable: a required text, a number, a switch, a rate."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from paydispatch.domain.errors import BadSetting, MissingSetting

if TYPE_CHECKING:
    from collections.abc import Mapping

OFF = "off"
"""The value that lifts a rate limit."""


def require(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise MissingSetting(name)
    return value


def number(env: Mapping[str, str], name: str, default: float) -> float:
    """Return a number above 0, because each setting is a count or a time limit. Raises `BadSetting`."""
    text = env.get(name, "")
    found = _to_number(text) if text else default
    if not math.isfinite(found):
        raise BadSetting(f"{name} must be a number, not {text!r}.")
    if found <= 0:
        raise BadSetting(f"{name} must be above 0, not {text!r}.")
    return found


def count(env: Mapping[str, str], name: str, default: int) -> int:
    found = number(env, name, default)
    if found % 1:
        raise BadSetting(f"{name} must be a whole number, not {env[name]!r}.")
    return int(found)


def rate(env: Mapping[str, str], name: str, default: int | None) -> int | None:
    """Return whole calls per second, or None if the limit is off. Raises `BadSetting`."""
    text = env.get(name, "")
    if not text:
        return default
    if text == OFF:
        return None
    found = _to_number(text)
    if not math.isfinite(found) or found % 1 or found < 1:
        raise BadSetting(f"{name} must be whole calls per second or {OFF}, not {text!r}.")
    return int(found)


def number_up_to(env: Mapping[str, str], name: str, default: float, *, at_most: float) -> float:
    """Return a number above 0 and up to `at_most`. Raises `BadSetting`."""
    found = number(env, name, default)
    if found > at_most:
        raise BadSetting(f"{name} must be at most {at_most:g}, not {env[name]!r}.")
    return found


def switch(env: Mapping[str, str], name: str) -> bool:
    """Return whether a setting is on. It is off by default. Raises `BadSetting`."""
    text = env.get(name, "")
    if text.lower() not in ("", "true", "false"):
        raise BadSetting(f"{name} must be true or false, not {text!r}.")
    return text.lower() == "true"


def _to_number(text: str) -> float:
    """Return the text as a number, or NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
