"""Look at Stripe once before an unknown outcome is published, because its effect may already be there to see.

No POST may follow any more, so only a look can tell. If it finds the effect, the request ends with a response, and
nobody is told `unknown`. A look that finds nothing proves nothing here. Later looks may prove an absence.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from paydispatch.domain.entry import entry_for
from paydispatch.domain.errors import Unavailable
from paydispatch.domain.operators.lookup_results import Found, Inconclusive
from paydispatch.domain.operators.lookups import StaysUnknown, decide, first_windows
from paydispatch.domain.retry import GivenUp, Settled, with_doubt
from paydispatch.domain.unknown_outcomes import UnknownOutcome
from paydispatch.services.calls.defer import DeferCall
from paydispatch.services.lookups.look_up import Extent, look_up

if TYPE_CHECKING:
    from paydispatch.domain.operators.lookup_results import LookupResult
    from paydispatch.domain.outcomes import Error
    from paydispatch.domain.progress import Progress
    from paydispatch.services.calls.call import Call

LONGEST_LOOK_S = 15.0
"""Seconds in which a call looks. Its look comes last in the rate budget, so in a full account it may get no turn."""

LEAST_LOOK_S = 3.0
"""With less time left, a copy of the message looks, in another invocation."""

MOST_READS = 2
"""The most GETs of one look. The shared passes read what a busy account made more."""

ACCOUNT_CHANGED = "account_changed"
"""The code of a request whose key now leads to another account. A look with that key proves nothing."""

FIRST_LOOK = Extent(windows=first_windows, most_reads=MOST_READS)


async def look_first(call: Call, progress: Progress, given_up: GivenUp) -> Settled | GivenUp:
    """Return the outcome that Stripe's object proves, or `given_up` if one look proves nothing.

    Raises `DeferCall`, once, if this invocation has too little time left for a look.
    """
    if not _may_look(call, progress, given_up):
        return given_up
    if call.time_left_s() < LEAST_LOOK_S:
        if progress.store_waits:  # this copy has waited before
            return given_up
        raise DeferCall(with_doubt(progress), "The invocation had no time left for a look.")
    unknown = unknown_outcome(call, progress, given_up.outcome)
    result = await _look(call, unknown)
    decided = decide(unknown, result, call.ports.clock.now_s()) if _shows(result) else None
    settles = decided is not None and not isinstance(decided, StaysUnknown)
    _log(call, progress, result, settles=settles)
    if decided is None or isinstance(decided, StaysUnknown):
        return given_up
    return Settled(decided, inferred=True)


def _may_look(call: Call, progress: Progress, given_up: GivenUp) -> bool:
    """Return whether a look may settle the request.

    On the last receive there is none, because the work on the message may be what ends each process. Without a record
    of a send there is nothing to look for.
    """
    unknown = not given_up.outcome.settled
    changed = given_up.outcome.code == ACCOUNT_CHANGED
    sent = progress.first_sent_at is not None
    return unknown and sent and not changed and not call.receive.last_receive


def _shows(result: LookupResult) -> bool:
    return isinstance(result, Found)


def unknown_outcome(call: Call, progress: Progress, error: Error) -> UnknownOutcome:
    """Return the unknown outcome as a later look will read it."""
    envelope, now_s = call.envelope.at(progress), call.ports.clock.now_s()
    return UnknownOutcome(
        entry_for(envelope, call.claim, error, now_s),
        call.claim.worker_slot,
        slot_stands=True,
        slot_first_sent_at=progress.first_sent_at,
        slot_last_sent_at=progress.last_sent_at,
        slot_account=progress.account,
    )


async def _look(call: Call, unknown: UnknownOutcome) -> LookupResult:
    """Look within the time that is left. A store or a Stripe that is away proves nothing."""
    try:
        async with asyncio.timeout(min(LONGEST_LOOK_S, call.time_left_s())):
            return await look_up(call.ports, unknown, same_account=False, extent=FIRST_LOOK)
    except TimeoutError:
        return Inconclusive("There was no time to look.")
    except Unavailable as error:
        return Inconclusive(str(error))


def _log(call: Call, progress: Progress, result: LookupResult, *, settles: bool) -> None:
    why = result.reason if isinstance(result, Inconclusive) else None
    call.ports.log.count("LookedFirst")
    if settles:
        call.ports.log.count("LookedFirstSettled")
    call.log("request.looked_first", progress, found=_shows(result), settles=settles, why=why)
