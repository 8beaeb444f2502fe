"""Check the words in which operators name accounts, operations, limits and keys.

Each function raises `ValueError` with a sentence that says what would be right.
"""

from __future__ import annotations

import re
from typing import Any

from paydispatch.domain.errors import UnknownOperation
from paydispatch.domain.stripe.operations import operation_named

HIGHEST_LIMIT = 999_999
OFF = "off"

_ACCOUNT = re.compile(r"(?:(?:live|test|org) )?[A-Za-z0-9_-]{1,128}")
_READ = re.compile(r"(?:list|retrieve)_[a-z0-9_]{1,100}")
_DIGITS = re.compile(r"[0-9a-f]{8,64}")


def account(text: Any) -> str:
    """Return the id of an account, or its name with the mode."""
    if not isinstance(text, str) or not _ACCOUNT.fullmatch(text):
        raise ValueError(
            f"{text!r} is not an account such as acct_1, or 'live acct_1' as `limits show` prints it"
        )
    return text


def operation(text: Any) -> str:
    """Return the name of an operation, or of a read such as list_product."""
    name = str(text)
    if _READ.fullmatch(name):
        return name
    try:
        return operation_named(name).name
    except UnknownOperation as error:
        raise ValueError(str(error)) from None


def limit(text: Any) -> int | str:
    """Return whole calls per second, or `off`."""
    if text == OFF:
        return OFF
    number = str(text)
    if not number.isdecimal() or not 1 <= int(number[:9]) <= HIGHEST_LIMIT:
        raise ValueError(
            f"{number[:64]!r} is not whole calls per second from 1 to {HIGHEST_LIMIT}, or off"
        )
    return int(number)


def key_digits(text: Any) -> str:
    """Return the first digits of a key's hash. The error does not quote the text, because it may be the key."""
    if not isinstance(text, str) or not _DIGITS.fullmatch(text):
        raise ValueError(
            "must be 8 to 64 hexadecimal digits of a key's hash, as `limits show` prints them"
        )
    return text
