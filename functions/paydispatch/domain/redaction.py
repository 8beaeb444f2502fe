"""Find Stripe's secret keys in text, and blot them out.

A key may stand anywhere: glued to other text, or escaped as JSON (`sk\\u005ftest_…`) and URLs (`sk%5Ftest_…`) do it.
Publishable keys (`pk_…`) are public and stay.
"""

from __future__ import annotations

import re
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from paydispatch.domain.parameters.path import Path

_PREFIX = r"(?:(?:sk|rk)_(?:test|live)_|(?>sk_org(?:_(?:test|live))?_?))"

_WORD_STARTS = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
"""Nothing stands before the key, or an escape whose last character is a letter or a digit."""

_WORDS = ("task", "disk", "desk", "risk", "work", "mark", "park", "fork", "network")
_NO_WORD_ENDS = "".join(f"(?<!(?<![A-Za-z]){word[:-2]})" for word in _WORDS)
"""`task_live_…`, `disk_test_…` and `network_test_…` are names that end like the beginning of a key."""

_KEY = re.compile(
    rf"({_WORD_STARTS}{_PREFIX})[A-Za-z0-9][A-Za-z0-9_]*"
    rf"|({_NO_WORD_ENDS}{_PREFIX})[A-Za-z0-9]{{16,}}[A-Za-z0-9_]*"
)
"""A key at the start of a word has any length. One that is glued to a word has at least 16 characters: Stripe's have
24 and more, and `mask_test_results` has none."""

_OF_A_KEY = "3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]"
_ESCAPE = re.compile(rf"\\+(?:u00|x)({_OF_A_KEY})|%(?:25)*({_OF_A_KEY})")
"""Of a letter, a digit or `_`, as JSON, JavaScript and URLs escape them, once or several times. No text needs these
escapes, so that it means the same without them."""


def holds_key(value: object) -> bool:
    """Whether a secret key stands in a text. Anything else than a text holds none."""
    if not isinstance(value, str):
        return False
    plain = _unescape(value)
    return _may_hold_key(plain) and _KEY.search(plain) is not None


def redact(text: str) -> str:
    """Blot out every secret key in a text. Where escapes hide one, they are resolved first."""
    plain = _unescape(text)
    return _KEY.sub(_hidden, plain) if _may_hold_key(plain) and _KEY.search(plain) else text


def redact_json(value: Any) -> Any:
    """Return a JSON value without secret keys, neither in its texts nor in the names of its members."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact_json(name): redact_json(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [redact_json(member) for member in value]
    return value


def places_of_keys(value: Any) -> Iterator[Path]:
    """The path of every text in a JSON value that holds a key; the names in it are redacted."""
    pending: deque[tuple[Path, Any]] = deque([((), value)])
    while pending:
        path, one = pending.popleft()
        if holds_key(one):
            yield path
        for name, member in _members(one):
            if holds_key(name):
                yield (*path, redact(name))
            pending.append(((*path, redact_json(name)), member))


def _members(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _may_hold_key(text: str) -> bool:
    """Rule most texts out in a fraction of a microsecond."""
    return "k_" in text and ("k_test" in text or "k_live" in text or "k_org" in text)


def _unescape(text: str) -> str:
    if "\\" not in text and "%" not in text:
        return text
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text)


def _hidden(found: re.Match[str]) -> str:
    return (found[1] or found[2]) + "[hidden]"
