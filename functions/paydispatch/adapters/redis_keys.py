"""Every Redis key there is. Braces are the hash tag: all keys of a worker live in one slot, each request in its own."""

GROUP = "flows"
"""The consumer group of every worker's stream."""

WORKERS = "pd:workers"
"""The set of workers that ever had a request: where a sweep looks."""

BELL_PATTERN = "pd:{*}:bell"


def outcomes(worker_id: str) -> str:
    return f"pd:{{{worker_id}}}:outcomes"


def dead(worker_id: str) -> str:
    return f"pd:{{{worker_id}}}:dead"


def seen(worker_id: str, request_id: str) -> str:
    """The mark that makes publishing exactly once: `unknown` or `settled`, and the id of the entry that says so."""
    return f"pd:{{{worker_id}}}:seen:{request_id}"


def at_work(worker_id: str, request_id: str) -> str:
    """The deliveries that began and did not end without doubt: while there are two, neither may say "not created"."""
    return f"pd:{{{worker_id}}}:at-work:{request_id}"


def open_requests(worker_id: str) -> str:
    """Accepted requests without a published outcome, by the time they were accepted (unix s)."""
    return f"pd:{{{worker_id}}}:open"


def unknown(worker_id: str) -> str:
    """The entries of requests that ended unknown and are not settled yet, by request id."""
    return f"pd:{{{worker_id}}}:unknown"


def context(worker_id: str, context_id: str) -> str:
    """The entries of one conversation that are not finished, in order."""
    return f"pd:{{{worker_id}}}:context:{context_id}"


def lease(worker_id: str, context_id: str) -> str:
    """Who runs the conversation's head entry now."""
    return f"pd:{{{worker_id}}}:lease:{context_id}"


def later(worker_id: str) -> str:
    """Postponed entries, by the time they are due (unix ms)."""
    return f"pd:{{{worker_id}}}:later"


def runs(worker_id: str) -> str:
    """How often each unfinished entry has been run."""
    return f"pd:{{{worker_id}}}:runs"


def bell(worker_id: str) -> str:
    """The channel that says: look at the stream. Never the result itself."""
    return f"pd:{{{worker_id}}}:bell"


def worker_of_bell(channel: str) -> str:
    return channel.removeprefix("pd:{").removesuffix("}:bell")


def request(request_id: str) -> str:
    """Where a request stands."""
    return f"pd:req:{{{request_id}}}"
