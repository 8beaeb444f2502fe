"""Find Stripe's secret keys in text, and redact them.

A key may stand anywhere: joined to other text, or escaped as in JSON (`sk\\u005ftest_…`) and URLs (`sk%5Ftest_…`).
Publishable keys (`pk_…`) are public and stay.
"""

from __future__ import annotations

import json
import re
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from paydispatch.domain.parameters.path import Path

_PREFIX = r"(?:(?:sk|rk)_(?:test|live)_|(?>sk_org(?:_(?:test|live))?_?))"

_WORD_STARTS = r"(?:(?<![A-Za-z0-9])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
"""No letter or digit stands before the key, except as the last character of an escape."""

_WORDS = ("task", "disk", "desk", "risk", "work", "mark", "park", "fork", "network")
_NO_WORD_ENDS = "".join(f"(?<!(?<![A-Za-z]){word[:-2]})" for word in _WORDS)
"""`task_live_…`, `disk_test_…` and `network_test_…` are names, although a part of each looks like a key's beginning."""

_SPLITTER = (
    r"(?:[-!$*+.^~\x00-\x08\x0e-\x1f\x7f]|[^\x00-\x7f]|%(?:25)*(?:2[DdEe]|[89A-Fa-f][0-9A-Fa-f])"
    r"|\\++u(?:00(?:2[DdEe]|0[0-8EeFf]|1[0-9A-Fa-f]|7[Ff])|(?!00[0-7])[0-9A-Fa-f]{4}))"
)
"""One character inside a spoilt key, such as `-`, an accent or a control character, or its escape. White space
and other punctuation end a key, because other text may follow them."""

_REST = rf"[A-Za-z0-9_]*(?:{_SPLITTER}{{1,9}}[A-Za-z0-9_]+)*"
"""The rest of a key, also of one that is split. Nine splitters are three letters that a URL escapes."""

_KEY = re.compile(
    rf"({_WORD_STARTS}{_PREFIX})(?:[A-Za-z0-9]|{_SPLITTER}{{1,9}}[A-Za-z0-9]{{8}}){_REST}|({_NO_WORD_ENDS}{_PREFIX})[A-Za-z0-9]{{16,}}{_REST}"
)
"""A key at the start of a word has any length. A key that is joined to a word has at least 16 characters after its
prefix: Stripe's keys have 24 and more, and `mask_test_results` has fewer."""

_PART_OF_A_PREFIX = re.compile(r"k_(?:test|live|org)")

_OF_A_KEY = "3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]"
_BACKSLASHES = r"\\(?<!\\\\)\\*+"
"""All backslashes that stand together. A search begins at the first of many and gives none back, so that its time grows
with the text alone."""


class AnyOf:
    """Patterns that begin with different characters, as one.

    Python's engine finds the first character of one pattern a hundred times as fast as that of a choice. So each is
    searched for, and the choice is used only for a text that has one of them.
    """

    def __init__(self, *in_ascii: str, beyond_ascii: str = "(?!)") -> None:
        self._in_ascii = [re.compile(pattern) for pattern in in_ascii]
        self._beyond_ascii = re.compile(beyond_ascii)
        self._choice = re.compile("|".join((*in_ascii, beyond_ascii)))

    def sub(self, replace: str | Callable[[re.Match[str]], str], text: str) -> str:
        return self._choice.sub(replace, text) if self._is_in(text) else text

    def _is_in(self, text: str) -> bool:
        if not text.isascii() and self._beyond_ascii.search(text):
            return True
        return any(pattern.search(text) for pattern in self._in_ascii)


_ESCAPES = AnyOf(rf"{_BACKSLASHES}(?:u00|x)({_OF_A_KEY})", rf"%(?:25)*({_OF_A_KEY})")
"""The escape of a letter, a digit or `_` in JSON, JavaScript or a URL, once or several times. No text needs such an
escape, so that the text means the same without it."""

_UNSEEN = AnyOf(
    rf"{_BACKSLASHES}u(?:00[Aa][Dd]|034[Ff]|061[Cc]|180[Ee]|200[B-Fb-f]|202[A-Ea-e]|206[0-9A-Fa-f]|[Ff][Ee][Ff][Ff])",
    r"(?i:%(?:25)*(?:C2%(?:25)*AD|CD%(?:25)*8F|D8%(?:25)*9C|E1%(?:25)*A0%(?:25)*8E|EF%(?:25)*BB%(?:25)*BF"
    r"|E2%(?:25)*80%(?:25)*(?:8[B-F]|A[A-E])|E2%(?:25)*81%(?:25)*A[0-F]))",
    beyond_ascii=r"[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]",
)
"""A character that takes no place on a screen, or its escape: a zero-width space, a soft hyphen, a direction mark."""

_ESCAPED_ESCAPE = re.compile(r"\\u00(?:5[Cc]|25)")
"""A backslash or `%` as JSON may write it."""


def holds_key(value: object) -> bool:
    """Return whether a text holds a secret key. A value of another type does not."""
    if not isinstance(value, str):
        return False
    plain = _unescape(value)
    return _may_hold_key(plain) and _KEY.search(plain) is not None


def redact(text: str) -> str:
    """Return the text with every secret key redacted. If escapes hide a key, they are resolved."""
    plain = _unescape(text)
    return _KEY.sub(_hidden, plain) if _may_hold_key(plain) and _KEY.search(plain) else text


def redact_json(value: Any) -> Any:
    """Return a JSON value with every secret key redacted, in its texts and in the names of its members."""
    return value if holds_no_key(value) else _redact_members(value)


def holds_no_key(value: Any) -> bool:
    """Return whether certainly no text and no name in a JSON value holds a key.

    Looks at the value as one JSON text, which takes a tenth of the time of a look at each text.
    """
    if isinstance(value, str):
        return not _may_hold_key(_unescape(value))
    try:
        return not _may_hold_key(_unescape(json.dumps(value)))
    except (TypeError, ValueError, RecursionError):  # it is no JSON, or nested too deeply
        return False


def _redact_members(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {_redact_members(name): _redact_members(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_members(member) for member in value]
    return value


def places_of_keys(value: Any) -> Iterator[Path]:
    """Yield the path of every text in a JSON value that holds a key. The names in the path are redacted."""
    pending: deque[tuple[Path, Any]] = deque([((), value)])
    while pending:
        path, one = pending.popleft()
        if holds_key(one):
            yield path
        for name, member in _members(one):
            if holds_key(name):
                yield (*path, redact(name))
            pending.append(((*path, _redact_members(name)), member))


def _members(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _may_hold_key(text: str) -> bool:
    """Return False for most texts, in a fraction of a microsecond."""
    return _PART_OF_A_PREFIX.search(text) is not None


def may_hold_key_in_json(text: str) -> bool:
    """Return False if no string in this JSON text holds a key. It is much faster than a look at each string.

    A backslash or a `%` that is itself escaped may hide the escape of a key. So such a text may hold one.
    """
    if "\\u00" in text and _ESCAPED_ESCAPE.search(text):
        return True
    return _may_hold_key(_unescape(text))


def _unescape(text: str) -> str:
    """Return the text without escapes of a key's characters, and without characters that nobody sees."""
    escaped = "%" in text or ("\\" in text and ("\\u" in text or "\\x" in text))
    if not escaped and text.isascii():
        return text
    seen = _UNSEEN.sub("", text)
    return _ESCAPES.sub(lambda found: chr(int(found[1] or found[2], 16)), seen) if escaped else seen


def _hidden(found: re.Match[str]) -> str:
    return (found[1] or found[2]) + "[hidden]"
