"""The guards of the table of operations: an id never makes a call another call."""

from __future__ import annotations

from guard import SOURCE, Guard

OWN_PATH = "An id in a path is an id, and never leads to another operation of Stripe."
OPERATIONS = SOURCE + "domain/stripe/operations.py"
TABLE = ("tests/unit/domain/test_operations.py",)

OPERATION_GUARDS: tuple[Guard, ...] = (
    Guard(
        "operation: an id may be a step in a path",
        OWN_PATH,
        OPERATIONS,
        '    if value in (".", ".."):',
        "    if not value:",
        TABLE,
    ),
    Guard(
        "operation: an id may have a slash",
        OWN_PATH,
        OPERATIONS,
        '    if "/" in value or "\\\\" in value:',
        "    if not value:",
        TABLE,
    ),
    Guard(
        "operation: an id is not encoded",
        OWN_PATH,
        OPERATIONS,
        'quote(value, safe="")',
        "value",
        TABLE,
    ),
    Guard(
        "operation: an id is decoded twice",
        OWN_PATH,
        OPERATIONS,
        'unquote(word, errors="strict")',
        'unquote(unquote(word, errors="strict"), errors="strict")',
        TABLE,
    ),
    Guard(
        "operation: an id may be a word of another operation's path",
        OWN_PATH,
        OPERATIONS,
        "    _require_own_path(operation, ids)\n",
        "",
        TABLE,
    ),
    Guard(
        "operation: a path with a word in it may be read as a path with an id",
        OWN_PATH,
        OPERATIONS,
        "sorted(_routes(), key=_words_first)",
        "sorted(_routes(), key=_words_first, reverse=True)",
        TABLE,
    ),
)
