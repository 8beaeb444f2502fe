"""Publish the outcome of a request: append it to its worker's stream, ring the doorbell and write the status.

The status is written after Redis has answered the publish. So a final status means that the outcome is published, and
every later receive of the request may stop there.
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
"""How many ids are tried for a second request under a used id. Each is derived from the one before.

More than one is needed only if a producer has taken a derived id for another request.
"""


class PublishPorts(Protocol):
    """The ports of publishing an outcome."""

    @property
    def requests(self) -> RequestSlots: ...

    @property
    def outcomes(self) -> OutcomeStream: ...

    @property
    def doorbell(self) -> Doorbell: ...


async def publish_outcome(ports: PublishPorts, entry: OutcomeEntry, worker_slot: str) -> bool:
    """Publish `entry` and write its status. Return False if an outcome was published before. Raises `Unavailable`."""
    first = await ports.outcomes.publish(entry)
    await ports.doorbell.ring(worker_slot)
    if first:
        await ports.requests.write_status(entry)
    else:  # the published outcome may differ from this one
        await write_missing_status(ports, worker_slot, entry.request_id)
    return first


async def write_missing_status(ports: PublishPorts, worker_slot: str, request_id: str) -> None:
    """Write the status of the published outcome, because the call that published it may have died before it did so."""
    published = await ports.outcomes.last_entry(worker_slot, request_id)
    if published is not None:
        await ports.requests.write_status(published)


async def close_and_publish(
    ports: PublishPorts, claim: Claim, error: Error, entry: OutcomeEntry
) -> Claim | None:
    """Close a request that was never sent, and publish `entry` as its outcome.

    Return the claim that it was published under. None: an outcome was published before. Raises `Unavailable`. It may be
    repeated after that, because only one outcome is published in all.
    """
    claim, state = await _claim_free_id(ports, claim)
    closed_with = Disputed.PUBLISHED if state.final else await ports.requests.close(claim, error)
    if closed_with is Disputed.PUBLISHED:
        return None
    if closed_with is Disputed.MAYBE_EXECUTED:
        raise Unavailable("Another receive of this request may still have an effect.")
    entry = replace(entry, request_id=claim.request_id, fingerprint=claim.fingerprint)
    return claim if await publish_outcome(ports, entry, claim.worker_slot) else None


async def _claim_free_id(ports: PublishPorts, claim: Claim) -> tuple[Claim, SlotState]:
    """Claim the id, or the first id derived from it that does not stand for another request."""
    for _ in range(MOST_DERIVED_IDS):
        state = await ports.requests.claim(claim)
        if state.owned:
            return claim, state
        claim = claim.as_second_request()
    raise Unavailable("Every id that was derived for this request stands for another request.")
