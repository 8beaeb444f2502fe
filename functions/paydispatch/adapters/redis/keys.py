"""Every Redis key there is. Braces are the hash tag: all keys of a worker live in one slot, each request in its own.

`worker` and `request` are names of slots (`domain/slots.py`): for other tenants than the queue's the tenant stands
before the id.
"""

GROUP = "flows"
"""The consumer group of every worker's stream."""

LOOKS = "pd:looks"
"""Workers by when a sweep looks at them next (unix ms). 0 or 1: at once, because something is written for them."""

UNKNOWN_WORKERS = "pd:unknown"
"""Workers that have unknown outcomes. The score is the time (unix seconds) since which there is none, or 0."""

OLD_WORKERS = "pd:workers"
"""The set an earlier version kept instead. Sweeps take it over."""

HEALTH = "pd:health"
"""Written by the API's health check, and read by no program."""

BELL_PATTERN = "pd:{*}:bell"


def outcomes(worker: str) -> str:
    return f"pd:{{{worker}}}:outcomes"


def dead(worker: str) -> str:
    return f"pd:{{{worker}}}:dead"


def seen(worker: str, request_id: str) -> str:
    """The mark that makes publishing exactly once: `unknown` or `settled`, and the id of the entry that says so."""
    return f"pd:{{{worker}}}:seen:{request_id}"


def open_requests(worker: str) -> str:
    """Accepted requests without a published outcome, by the time they were accepted (unix s)."""
    return f"pd:{{{worker}}}:open"


def unknown(worker: str) -> str:
    """The entries of requests that ended unknown and are not settled yet, by request id."""
    return f"pd:{{{worker}}}:unknown"


def context(worker: str, context_id: str) -> str:
    """The entries of one conversation that are not finished, in order."""
    return f"pd:{{{worker}}}:context:{context_id}"


def lease(worker: str, context_id: str) -> str:
    """Who runs the conversation's head entry now."""
    return f"pd:{{{worker}}}:lease:{context_id}"


def later(worker: str) -> str:
    """Postponed entries, by the time they are due (unix ms)."""
    return f"pd:{{{worker}}}:later"


def runs(worker: str) -> str:
    """How often each unfinished entry has been run."""
    return f"pd:{{{worker}}}:runs"


def finished(worker: str) -> str:
    """The finished entries that a new group would read again, by the time of their ids (unix ms)."""
    return f"pd:{{{worker}}}:finished"


def finished_before(worker: str) -> str:
    """The time (unix ms) before which every entry is finished."""
    return f"pd:{{{worker}}}:finished-before"


def bell(worker: str) -> str:
    """The channel that says: look at the stream. Never the result itself."""
    return f"pd:{{{worker}}}:bell"


def worker_of_bell(channel: str) -> str:
    return channel.removeprefix("pd:{").removesuffix("}:bell")


def request(slot: str) -> str:
    """Who asked for what under this id, what was sent, and where it stands."""
    return f"pd:req:{{{slot}}}"


def sends(slot: str) -> str:
    """The sends of a request that began and whose end is not known."""
    return f"pd:req:{{{slot}}}:sends"
