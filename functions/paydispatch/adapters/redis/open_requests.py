"""The note that a request is accepted and not settled yet: written by whoever first learns of it."""

from __future__ import annotations

from typing import Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script
from paydispatch.domain.diagnosis import open_since
from paydispatch.domain.limits import REMEMBER_S


def note_open(
    pipe: Any, worker_id: str, request_id: str, *, accepted_at: float, now_s: float
) -> None:
    """Add the note to a pipeline; its answer is the request's seen-mark.

    `accepted_at` may be a producer's word: no clock but ours may hide its requests, or drop them with the next note.
    """
    pipe.execute_command(  # the cluster pipeline for threads has no eval()
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
