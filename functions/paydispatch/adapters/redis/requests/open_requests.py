"""The note that a request is accepted and not settled yet. The first program that learns of the request writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import call_script
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.domain.operators.diagnosis import open_since

if TYPE_CHECKING:
    from paydispatch.adapters.redis.scripts import Command


def open_command(worker_id: str, request_id: str, *, accepted_at: float, now_s: float) -> Command:
    """Return the command that adds the note. Its answer is the request's seen-mark.

    `accepted_at` may come from a producer with a wrong clock. `open_since` keeps it in bounds, because a wrong time
    would hide the request or let the next note drop it.
    """
    return call_script(
        "open",
        [keys.seen(worker_id, request_id), keys.open_requests(worker_id)],
        request_id,
        open_since(accepted_at, now_s),
        REMEMBER_S,
        now_s - REMEMBER_S,
    )
