"""Write a script's exception as text that is safe to log, to store and to send.

A script's exception is code of a stranger. Its `__str__` may raise, and its text may hold a Stripe key, half a
surrogate pair or a megabyte. Nothing here raises, and no reference to the exception is kept.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from paydispatch.domain.text.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LEAVES = 10
"""The number of inner errors of a group that are described. The others are counted."""

MOST_ERRORS = 10_000
"""The number of errors of a group that are read at all."""

LEAF_CHARS = 300
ERROR_CHARS = 1_000
TRACEBACK_CHARS = 8_000

READ_CHARS = 100_000
"""A longer text is cut first, before keys are searched in it."""


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors in a group at any depth, in order. For any other error, return the error itself."""
    found: list[BaseException] = []
    left = [error]
    for _ in range(MOST_ERRORS):
        if not left:
            break
        first = left.pop()
        if isinstance(first, BaseExceptionGroup):
            left.extend(reversed(_inner_errors(first)))
        else:
            found.append(first)
    return found


def error_text(error: BaseException) -> str:
    """Return type and text of the error. For a group, return those of the errors in it."""
    if not isinstance(error, BaseExceptionGroup):
        return _type_and_text(error)
    inner = leaves(error)
    named = "; ".join(map(_type_and_text, inner[:MOST_LEAVES]))
    more = f"; and {len(inner) - MOST_LEAVES} more" if len(inner) > MOST_LEAVES else ""
    return _cut(f"{_type_name(error)}: {named}", ERROR_CHARS - len(more)) + more


def traceback_text(error: BaseException) -> str:
    """Return the traceback as Python prints it. If it is long, its middle is left out."""
    text = _safely(lambda: "".join(traceback.format_exception(error)), "no traceback")
    half = TRACEBACK_CHARS // 2
    return text if len(text) <= TRACEBACK_CHARS else f"{text[:half]}\n…\n{text[-half:]}"


def safe_text(value: object) -> str:
    """Return `str(value)` without Stripe keys, as text that UTF-8 can write."""
    return _safely(lambda: str(value), "no text")


def _type_and_text(error: BaseException) -> str:
    text = safe_text(error)
    name = _type_name(error)
    return _cut(f"{name}: {text}" if text else name, LEAF_CHARS)


def _type_name(error: BaseException) -> str:
    return _safely(lambda: type(error).__name__, "an exception")


def _inner_errors(group: BaseExceptionGroup[BaseException]) -> tuple[BaseException, ...]:
    """Return the errors of a group. The attribute is read from the class, because a subclass may replace it."""
    inner: tuple[BaseException, ...] = BaseExceptionGroup.exceptions.__get__(group)
    return inner


def _safely(text_of: Callable[[], str], otherwise: str) -> str:
    """Return the text without keys, or `otherwise` if the script's code raises.

    The methods of `str` are called on the class, because a `__str__` may return a subclass.
    """
    try:
        text = str.__getitem__(text_of(), slice(READ_CHARS))
        return redact(str.encode(text, "utf-8", "backslashreplace").decode())
    except BaseException as error:  # the script's own code has raised, and may raise anything
        return f"<{otherwise}: {type.__getattribute__(type(error), '__name__')}>"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
