"""The ports of running flows, the limits of a run, and the condition under which a runner stops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from paydispatch.domain.flow_checks.faults import is_meant
from paydispatch.domain.flow_retry import Retry
from paydispatch.domain.stripe.stripe_version import STRIPE_API_VERSION
from paydispatch.flow import CLEAN_UP_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from paydispatch.flow import FlowScripts
    from paydispatch.ports import AsyncQueue, Clock, EventLog, FlowInbox


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPorts:
    """The ports of running flows."""

    inbox: FlowInbox
    scripts: FlowScripts
    queue: AsyncQueue
    clock: Clock
    log: EventLog
    fraction: Callable[[], float]
    """Returns a random number in [0, 1) for the jitter of the backoff."""
    queue_tenant: str
    """The tenant of programs that write to the queue themselves."""
    stripe_api_version: str = STRIPE_API_VERSION
    """The version that the Stripe caller names to Stripe. The requests of flows are checked for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPolicy:
    """The limits of a runner and of its runs."""

    timeout_s: float = 30.0
    """A run that takes longer has failed. It also bounds how soon the entries of a dead runner are taken over."""
    import_timeout_s: float = 30.0
    """An import that takes longer has failed. It does not count as a part of the run."""
    retry: Retry = field(default_factory=Retry)
    """How often a script runs for one outcome, killed runs included, unless the script has a `RETRY` of its own."""
    most_killed: int = 5
    """Killed runs of one script for one outcome, before the entry goes to the dead stream. Each may have ended a worker
    with all of its other flows, so that they are fewer than the runs that fail."""
    missing_wait_s: float = 600.0
    """The time in which another runner may take an entry whose script this one lacks. A rolling deployment takes some
    minutes, and the context waits."""
    only: tuple[str, ...] = ()
    """Patterns of the scripts that this runner runs, such as `new_create_refund_*`. Empty: all."""
    side_by_side: int = 32
    """Contexts of one worker that run at once."""
    altogether: int = 128
    """Contexts of all workers that run at once in a process. Each takes a thread and up to three file descriptors."""

    def leaves(self, script: str) -> bool:
        """Return whether the runner leaves the outcomes of this script to others, although it may have the file."""
        return not is_meant(script, self.only)

    @property
    def longest_run_s(self) -> float:
        """The most seconds from the start of a run to its end."""
        return self.import_timeout_s + self.timeout_s + CLEAN_UP_S


class StopCondition:
    """Tells when a runner begins no further run: it was asked to stop, or the time of its invocation is over."""

    def __init__(self, clock: Clock, stopping: asyncio.Event, until: float | None) -> None:
        """`until` is in unix seconds. None: only `stopping` stops the runner."""
        self.stopping = stopping
        self._clock = clock
        self._until = until

    def holds(self) -> bool:
        """Return whether no further run may begin."""
        return self.stopping.is_set() or (
            self._until is not None and self._clock.now_s() >= self._until
        )
