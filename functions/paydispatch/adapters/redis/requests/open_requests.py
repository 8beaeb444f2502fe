"""The note that a request is accepted and not settled yet. The first program that learns of the request writes it."""

from __future__ import annotations

from typing import Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script
from paydispatch.domain.limits import REMEMBER_S
from paydispatch.domain.operators.diagnosis import open_since


def note_open(
    pipe: Any, worker_id: str, request_id: str, *, accepted_at: float, now_s: float
) -> None:
    """Add the note to a pipeline. The command's answer is the request's seen-mark.

    `accepted_at` may come from a producer with a wrong clock. `open_since` keeps it in bounds, because a wrong time
    would hide the request or let the next note drop it.
    """
    pipe.execute_command(  # redis-py's cluster pipeline for threads has no eval()
        "EVAL",
        script("open"),
        2,
        keys.seen(worker_id, request_id),
        keys.open_requests(worker_id),
        request_id,
        open_since(accepted_at, now_s),
        REMEMBER_S,
        now_s - REMEMBER_S,
    )
