"""What a script raised, as text that is safe to log, to store and to send.

An exception of a script is code of a stranger: its `__str__` may raise, its text may hold a Stripe key, half a
surrogate pair or a megabyte. Nothing here raises, and nothing of the exception is kept.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from paydispatch.domain.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LEAVES = 10
"""So many inner errors of a group are named; the others are counted."""

MOST_ERRORS = 10_000
"""So many errors of a group are looked at."""

LEAF_CHARS = 300
ERROR_CHARS = 1_000
TRACEBACK_CHARS = 8_000

READ_CHARS = 100_000
"""A longer text is cut before anything else is done with it."""


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors a group holds at any depth, in order; of any other error, itself."""
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
    """Return type and text of the error; of a group, those of its leaves."""
    if not isinstance(error, BaseExceptionGroup):
        return _type_and_text(error)
    inner = leaves(error)
    named = "; ".join(map(_type_and_text, inner[:MOST_LEAVES]))
    more = f"; and {len(inner) - MOST_LEAVES} more" if len(inner) > MOST_LEAVES else ""
    return _cut(f"{_type_name(error)}: {named}", ERROR_CHARS - len(more)) + more


def traceback_text(error: BaseException) -> str:
    """Return the traceback as Python prints it, without its middle when it is long."""
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
    """Ask the class itself, because a subclass can have an `exceptions` of its own."""
    inner: tuple[BaseException, ...] = BaseExceptionGroup.exceptions.__get__(group)
    return inner


def _safely(text_of: Callable[[], str], otherwise: str) -> str:
    """Call the methods of `str` on the class, because a `__str__` can return a subclass."""
    try:
        text = str.__getitem__(text_of(), slice(READ_CHARS))
        return redact(str.encode(text, "utf-8", "backslashreplace").decode())
    except BaseException as error:  # the script's own code has raised, and may raise anything
        return f"<{otherwise}: {type.__getattribute__(type(error), '__name__')}>"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
