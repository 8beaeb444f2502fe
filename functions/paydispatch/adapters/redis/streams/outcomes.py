"""`OutcomeStream` on Redis: one script publishes an outcome in its worker's slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import call_script
from paydispatch.adapters.redis.shared_pipelines import SharedPipelines
from paydispatch.adapters.redis.workers import outcome_notes
from paydispatch.domain.entry import OutcomeEntry
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.limits import REMEMBER_S

if TYPE_CHECKING:
    from redis.asyncio import Redis


class RedisOutcomes:
    """Publishes with `publish.lua`, which checks and sets the request's seen-mark beside the stream in one step."""

    def __init__(
        self, redis: Redis, *, queue_tenant: str, pipelines: SharedPipelines | None = None
    ) -> None:
        self._pipelines = pipelines or SharedPipelines(redis)
        self._queue_tenant = queue_tenant

    async def publish(self, entry: OutcomeEntry) -> bool:
        """Note the worker for the sweep, and then run `publish.lua`, both in one pipeline."""
        worker = self.worker_slot(entry)
        names = [
            keys.seen(worker, entry.request_id),
            keys.outcomes(worker),
            keys.context(worker, entry.context_id),
            keys.open_requests(worker),
            keys.unknown(worker),
        ]
        arguments = [
            "settled" if entry.outcome.settled else "unknown",
            REMEMBER_S,
            entry.as_json(),
            keys.bell(worker),
            entry.request_id,
        ]
        notes = outcome_notes(worker, unknown=not entry.outcome.settled)
        *_, entry_id = await self._pipelines.run(*notes, call_script("publish", names, *arguments))
        return entry_id is not None

    async def is_settled(self, worker_slot: str, request_id: str) -> bool:
        return (await self._mark(worker_slot, request_id)).startswith("settled")

    async def last_entry(self, worker_slot: str, request_id: str) -> OutcomeEntry | None:
        _, _, entry_id = (await self._mark(worker_slot, request_id)).partition(" ")
        if not entry_id:
            return None
        (found,) = await self._pipelines.run(
            ("XRANGE", keys.outcomes(worker_slot), entry_id, entry_id)
        )
        return next((OutcomeEntry.from_json(fields["entry"]) for _, fields in found), None)

    def worker_slot(self, entry: OutcomeEntry) -> str:
        """Return the name of the worker's slot that an entry is published in."""
        tenant = entry.tenant or self._queue_tenant
        return slot_name(tenant, entry.worker_id, self._queue_tenant)

    async def _mark(self, worker_slot: str, request_id: str) -> str:
        (mark,) = await self._pipelines.run(("GET", keys.seen(worker_slot, request_id)))
        return str(mark or "")
