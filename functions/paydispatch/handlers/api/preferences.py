"""Read `Prefer: wait=N` (RFC 7240): the caller wants to wait up to N seconds for the outcome of a request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paydispatch.handlers.api.http import HttpRequest

LONGEST_WAIT_S = 25
"""API Gateway ends a request after 30 s, and the API needs some of them to accept it."""

KEPT_S = 2.0
"""Of the invocation, for the last look and the answer."""

_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,9})\"?\s*(?:;.*)?", re.IGNORECASE)


def preferred_wait_s(request: HttpRequest) -> int:
    """Return the seconds to wait, within the bounds of the API and of its invocation. 0: the caller prefers no wait.

    The first `wait` counts. A preference that cannot be read is ignored, as the RFC asks.
    """
    preferences = request.headers.get("prefer", "").split(",")
    found = (_WAIT.fullmatch(preference.strip()) for preference in preferences)
    wanted_s = next((int(wait[1]) for wait in found if wait), 0)
    return max(0, min(wanted_s, LONGEST_WAIT_S, int(request.left_s - KEPT_S)))
