"""The names of all Redis keys. Braces are the hash tag: a worker's keys share one slot, and so do a request's keys.

The parameters `worker` and `slot` are names of slots (`domain/identity/slots.py`). For other tenants than the queue's,
the tenant stands before the id.
"""

GROUP = "flows"
"""The consumer group of every worker's stream."""

LOOKS = "pd:looks"
"""Sorted set of workers by their next look (unix ms). 0 or 1: at once, because something is being written for them."""

UNKNOWN_WORKERS = "pd:unknown"
"""Sorted set of workers with unknown outcomes. The score is the time (unix s) since which a worker has none, or 0."""

DOUBT_TENANTS = "pd:doubt_tenants"
"""Set of the tenants, except the queue's, that had a request in doubt. An event may not name the tenant."""

OLD_DOUBT_TENANTS = "pd:tenants"
"""Set of the same tenants, without their times, that an earlier version kept. It is read, and no longer written."""

OLD_WORKERS = "pd:workers"
"""Set of workers that an earlier version kept instead. Sweeps move its workers to the two sorted sets."""

RATE_ACCOUNTS = "pd:accounts"
"""Sorted set of the accounts with calls, by the time (unix s) of the last note. `inf`: operators set something."""

PAUSED = "pd:paused"
"""Hash of the pauses of all accounts, by `pause:` and the lane or `all`."""

REFUSED_KEYS = "pd:keys"
"""Sorted set of the hashes of keys with an open breaker, by the time (unix s) at which it was opened."""

HEALTH = "pd:health"
"""The API's health check writes it. No program reads it."""

DOUBT_PLACES = "pd:doubts"
"""Sorted set of the places with doubts, an account and an object each, by the time (unix s) of the last note."""

BELL_PATTERN = "pd:{*}:bell"


def unset_metadata(account_name: str) -> str:
    """Name the time (unix s) at which an operation last unset all metadata of an object in the account."""
    return f"pd:unset:{{{account_name}}}"


def outcomes(worker: str) -> str:
    return f"pd:{{{worker}}}:outcomes"


def dead(worker: str) -> str:
    return f"pd:{{{worker}}}:dead"


def seen(worker: str, request_id: str) -> str:
    """Name the seen-mark, which makes publishing exactly once: `unknown` or `settled`, and the id of the entry."""
    return f"pd:{{{worker}}}:seen:{request_id}"


def open_requests(worker: str) -> str:
    """Name the sorted set of accepted requests without a published outcome, by their time of acceptance (unix s)."""
    return f"pd:{{{worker}}}:open"


def unknown(worker: str) -> str:
    """Name the hash of the entries with an unknown outcome that is not settled yet, by request id."""
    return f"pd:{{{worker}}}:unknown"


def context(worker: str, context_id: str) -> str:
    """Name the list of a conversation's unfinished entries, in order."""
    return f"pd:{{{worker}}}:context:{context_id}"


def lease(worker: str, context_id: str) -> str:
    """Name the lease of a conversation: the token of the turn that runs its head entry now."""
    return f"pd:{{{worker}}}:lease:{context_id}"


def later(worker: str) -> str:
    """Name the sorted set of postponed entries, by their due time (unix ms)."""
    return f"pd:{{{worker}}}:later"


def runs(worker: str) -> str:
    """Name the hash of the number of runs of each unfinished entry."""
    return f"pd:{{{worker}}}:runs"


def finished(worker: str) -> str:
    """Name the sorted set of finished entries that a new group would read again, by the time in their ids (unix ms)."""
    return f"pd:{{{worker}}}:finished"


def finished_before(worker: str) -> str:
    """Name the time (unix ms) before which every entry is finished."""
    return f"pd:{{{worker}}}:finished-before"


def ended(worker: str, entry_id: str) -> str:
    """Name the end of an entry: whether it finished or died, when, and after how many runs."""
    return f"pd:{{{worker}}}:ended:{entry_id}"


def bell(worker: str) -> str:
    """Name the Pub/Sub channel of a worker's doorbell. Its messages hold no outcome."""
    return f"pd:{{{worker}}}:bell"


def worker_of_bell(channel: str) -> str:
    return channel.removeprefix("pd:{").removesuffix("}:bell")


def request(slot: str) -> str:
    """Name the hash of a request: its tenant, principal and fingerprint, its sends, and its status."""
    return f"pd:req:{{{slot}}}"


def sends(slot: str) -> str:
    """Name the set of a request's open sends: they began, and how they ended is not known."""
    return f"pd:req:{{{slot}}}:sends"


def rate(account_name: str) -> str:
    """Name the hash of an account's limiter: its epoch, its breaker and its limits. It expires when idle."""
    return f"pd:rate:{{{account_name}}}"


def rate_settings(account_name: str) -> str:
    """Name the hash of the limits and pauses that operators set for an account. It does not expire."""
    return f"pd:rate:{{{account_name}}}:set"


def key_breaker(key_sha256: str) -> str:
    """Name the hash of the open breakers of a key, by operation. The name '' is the breaker for all operations."""
    return f"pd:key:{{{key_sha256}}}"


def doubt_times(place: str) -> str:
    """Name the sorted set of a place's doubts, by the time (unix s) of their next look."""
    return f"pd:doubt:{{{place}}}:due"


def doubts(place: str) -> str:
    """Name the hash of a place's doubts: since when each is known, and up to when its list was read."""
    return f"pd:doubt:{{{place}}}:who"


def look_state(place: str) -> str:
    """Name the hash of a place's looks: their number, the next one, the lease and the cursor of a pass."""
    return f"pd:doubt:{{{place}}}"
