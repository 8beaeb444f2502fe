"""Report the end of a request: publish it in the worker's slot, ring, and write the status into the request's slot.

The status is written after the publish was answered. So a final status means that the end was told, and every later
delivery of the request may stop there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from paydispatch.domain.claims import Disputed
from paydispatch.domain.errors import Unavailable

if TYPE_CHECKING:
    from paydispatch.domain.claims import Claim
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.outcomes import Error
    from paydispatch.ports import Doorbell, OutcomeStream, RequestSlots


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
    stands = await ports.outcomes.published(worker_slot, request_id)
    if stands is not None:
        await ports.requests.write_status(stands)


async def end_unsent(ports: ReportPorts, claim: Claim, error: Error, entry: OutcomeEntry) -> bool:
    """Close a request of which nothing was sent, and tell `entry`, its end. False: an end was told before.

    Raises `Unavailable`. Done again, it tells the same end, once.
    """
    state = await ports.requests.claim(claim)
    stands = Disputed.TOLD if state.final else await ports.requests.close(claim, error)
    if stands is Disputed.TOLD:
        return False
    if stands is Disputed.MAYBE_EXECUTED:
        raise Unavailable("Another delivery may still have an effect.")
    return await report_end(ports, entry, claim.worker_slot)
