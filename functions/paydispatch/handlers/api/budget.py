"""Keep an answer within Lambda's limit of 6 MB, which holds the body as escaped text."""

from __future__ import annotations

import json
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paydispatch.domain.errors import ParamError
    from paydispatch.domain.parameters.verdict import ParamWarning

ANSWER_BYTES = 4_000_000
"""The limit for the errors of one answer. The rest of Lambda's 6 MB is for the accepted items of a batch: each of 1,000
items takes at most 4 KB."""

STATUS_BYTES = 5_900_000
"""The limit for the status of a request."""

MOST_ERRORS = 100
"""The largest number of errors that are shown of one request."""

_TEXT_BYTES = {"message": 1_000, "param": 300}
"""The limits for the texts of an error."""


def size_in_answer(value: Any) -> int:
    """Return the largest number of bytes of a JSON value in Lambda's answer: JSON within JSON, escaped to ASCII."""
    return len(json.dumps(json.dumps(value)))


def cut_error(error: Mapping[str, Any]) -> dict[str, Any]:
    """Return an error in Stripe's shape, with each text cut to its limit."""
    cut = {name: _cut(error[name], most) for name, most in _TEXT_BYTES.items() if name in error}
    return {**error, **cut}


def errors_within(errors: Sequence[ParamError], room_bytes: int) -> dict[str, Any]:
    """Return `errors`: the first and as many more as fit. `more_errors` is the number of those left out."""
    return _listed("errors", errors, room_bytes)


def warnings_within(warnings: Sequence[ParamWarning], room_bytes: int) -> dict[str, Any]:
    """Return `warnings` and `more_warnings` in the same way. Without warnings neither is returned."""
    return _listed("warnings", warnings, room_bytes) if warnings else {}


def _listed(
    name: str, said: Sequence[ParamError] | Sequence[ParamWarning], room_bytes: int
) -> dict[str, Any]:
    shown = [cut_error(said[0].as_dict())]
    room_bytes -= size_in_answer(shown)
    for each in said[1:MOST_ERRORS]:
        cut = cut_error(each.as_dict())
        room_bytes -= size_in_answer(cut)
        if room_bytes < 0:
            break
        shown.append(cut)
    more = len(said) - len(shown)
    return {name: shown, **({f"more_{name}": more} if more else {})}


def _cut(text: str, most_bytes: int) -> str:
    if size_in_answer(text) - _QUOTES <= most_bytes:
        return text
    head = text[:most_bytes]
    ends = accumulate(map(_character_size, head))
    return head[: sum(end <= most_bytes for end in ends)] + "…"


@lru_cache(maxsize=4096)  # a long text has few different characters
def _character_size(character: str) -> int:
    return size_in_answer(character) - _QUOTES


_QUOTES = size_in_answer("")
