"""Reads the calls of the control API, and writes their answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from paydispatch.twin.wire.calls import Answer

if TYPE_CHECKING:
    from paydispatch.twin.wire.calls import Call


class ControlError(ValueError):
    """An invalid control request. The message names the field and the values it takes."""


def read_window(call: Call) -> tuple[int, int | None]:
    """Return `after` and `limit` of the query. Raises `ControlError`."""
    query = parse_qs(call.query)
    try:
        after = int(query.get("after", ["0"])[0])
        limit = int(query["limit"][0]) if "limit" in query else None
    except ValueError:
        raise ControlError("after and limit must be whole numbers.") from None
    if after < 0 or (limit is not None and limit < 0):
        raise ControlError("after and limit must not be negative.")
    return after, limit


def read_body(call: Call) -> dict[str, Any]:
    """Return the JSON object in the body. Raises `ControlError`."""
    try:
        body = json.loads(call.body or b"{}")
    except ValueError:
        raise ControlError("The body must be JSON.") from None
    if not isinstance(body, dict):
        raise ControlError("The body must be a JSON object.")
    return body


def json_answer(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value).encode())
