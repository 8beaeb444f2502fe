"""Report the end of a request: publish it in the worker's slot, ring, and write the status into the request's slot.

The status is written after the publish was answered. So a final status means that the end was told, and every later
delivery of the request may stop there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.claims import Disputed
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim, SlotState
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.outcomes import Error
    from paydispatch.ports import Doorbell, OutcomeStream, RequestSlots


MOST_DERIVED_IDS = 20
"""How many ids a second request under a used id tries, one derived from the other."""


class ReportPorts(Protocol):
    """What reporting an end needs of the world."""

    @property
    def requests(self) -> RequestSlots: ...

    @property
    def outcomes(self) -> OutcomeStream: ...

    @property
    def doorbell(self) -> Doorbell: ...


async def report_end(ports: ReportPorts, entry: OutcomeEntry, worker_slot: str) -> bool:
    """Publish `entry` and write its status. Return False if an end was published before. Raises `Unavailable`."""
    first = await ports.outcomes.publish(entry)
    await ports.doorbell.ring(worker_slot)
    if first:
        await ports.requests.write_status(entry)
    else:  # the end that stands may be another one
        await mend_status(ports, worker_slot, entry.request_id)
    return first


async def mend_status(ports: ReportPorts, worker_slot: str, request_id: str) -> None:
    """Write the status of an end that was published by a delivery that was killed before it wrote it."""
    stands = await ports.outcomes.last_entry(worker_slot, request_id)
    if stands is not None:
        await ports.requests.write_status(stands)


async def end_unsent(
    ports: ReportPorts, claim: Claim, error: Error, entry: OutcomeEntry
) -> Claim | None:
    """Close a request of which nothing was sent, and tell `entry`, its end. None: an end was told before.

    Returns the claim it was told under. Raises `Unavailable`. Done again, it tells the same end, once.
    """
    claim, state = await _claim_free_id(ports, claim)
    stands = Disputed.TOLD if state.final else await ports.requests.close(claim, error)
    if stands is Disputed.TOLD:
        return None
    if stands is Disputed.MAYBE_EXECUTED:
        raise Unavailable("Another delivery may still have an effect.")
    told = replace(entry, request_id=claim.request_id, fingerprint=claim.fingerprint)
    return claim if await report_end(ports, told, claim.worker_slot) else None


async def _claim_free_id(ports: ReportPorts, claim: Claim) -> tuple[Claim, SlotState]:
    """Claim the id, or one derived from it: a producer can have taken a derived id for something else before."""
    for _ in range(MOST_DERIVED_IDS):
        state = await ports.requests.claim(claim)
        if state.owned:
            return claim, state
        claim = claim.as_second_request()
    raise Unavailable("Every id that is derived for this request stands for another one.")
