"""`Conversations` on Redis: finds the data of a context by reading all slots and streams of its tenant.

There is no index by context, because only an erasure would need it. A scan of a million slots takes some seconds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.scripts import script, within_answer_timeout
from paydispatch.domain.identity.slots import bare_name, slot_name
from paydispatch.domain.operators.erasure import Erased

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from redis.asyncio import Redis

    from paydispatch.domain.operators.erasure import Conversation

_PAGE = 500
_STREAM_KEYS = (keys.outcomes("*"), keys.dead("*"))


class RedisConversations:
    """Scans keys with SCAN, so that Redis serves other clients meanwhile."""

    def __init__(self, redis: Redis, *, queue_tenant: str) -> None:
        self._redis = redis
        self._queue_tenant = queue_tenant

    async def requests(self, whose: Conversation) -> Sequence[str]:
        found: dict[str, None] = {}
        async for page in self._scan(keys.request("*"), "hash"):
            slots = [key.removeprefix("pd:req:{").removesuffix("}") for key in page]
            async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
                for key in page:
                    pipe.hmget(key, "context_id", "tenant", "worker_id")
                fields = await pipe.execute()
            of_slots = zip(slots, fields, strict=True)
            found |= dict.fromkeys(slot for slot, of in of_slots if _is_of(whose, *of))
        return list(found)

    async def workers(self, whose: Conversation) -> Sequence[str]:
        found: set[str] = set()
        for pattern in _STREAM_KEYS:
            async for page in self._scan(pattern, "stream"):
                found |= {key.partition("{")[2].rpartition("}")[0] for key in page}
        return sorted(slot for slot in found if self._may_serve(slot, whose))

    async def erase_request(self, slot: str, whose: Conversation, *, write: bool) -> Erased:
        async with within_answer_timeout():
            answer: Any = await self._redis.eval(
                script("erase_request"), 1, keys.request(slot), whose.context_id, _flag(write)
            )
        return Erased(erased=answer == "erased", left=answer == "left")

    async def erase_outcomes(self, worker_slot: str, whose: Conversation, *, write: bool) -> Erased:
        erased = Erased()
        async for ids in self._entries(keys.outcomes(worker_slot), whose):
            async with within_answer_timeout():
                done: Any = await self._redis.eval(
                    script("erase_outcomes"),
                    3,
                    keys.outcomes(worker_slot),
                    keys.finished(worker_slot),
                    keys.finished_before(worker_slot),
                    _flag(write),
                    *ids,
                )
            erased += Erased(*map(int, done))
        return erased

    async def erase_dead_flows(
        self, worker_slot: str, whose: Conversation, *, write: bool
    ) -> Erased:
        erased = Erased()
        async for ids in self._entries(keys.dead(worker_slot), whose):
            if write:
                async with within_answer_timeout():
                    await self._redis.xdel(keys.dead(worker_slot), *ids)
            erased += Erased(len(ids))
        return erased

    def _may_serve(self, slot: str, whose: Conversation) -> bool:
        """Return whether the slot of a worker belongs to the conversation's tenant, and to its worker if it has one."""
        named = whose.worker_id or bare_name(slot)
        return slot == slot_name(whose.tenant, named, self._queue_tenant)

    async def _entries(self, stream: str, whose: Conversation) -> AsyncIterator[list[str]]:
        """Yield the ids of the stream's entries of the context, a page at a time."""
        after = "-"
        while True:
            async with within_answer_timeout():
                page: Any = await self._redis.xrange(stream, after, "+", count=_PAGE)
            if not page:
                return
            ids = [str(id_) for id_, fields in page if _context_of(fields) == whose.context_id]
            if ids:
                yield ids
            after = f"({page[-1][0]}"

    async def _scan(self, pattern: str, kind: str) -> AsyncIterator[list[str]]:
        """Yield the keys that match, a page at a time. A key may come twice."""
        page: list[str] = []
        async for key in self._redis.scan_iter(match=pattern, count=_PAGE, _type=kind):
            page.append(str(key))
            if len(page) >= _PAGE:
                yield page
                page = []
        if page:
            yield page


def _is_of(whose: Conversation, context_id: str, tenant: str, worker_id: str) -> bool:
    same_worker = whose.worker_id in (None, worker_id)
    return (context_id, tenant) == (whose.context_id, whose.tenant) and same_worker


def _context_of(fields: dict[str, str]) -> str | None:
    """Return the context of an entry. None: the entry cannot be read."""
    try:
        context_id: str = json.loads(fields["entry"])["context_id"]
    except (KeyError, TypeError, ValueError):
        return None
    return context_id


def _flag(write: bool) -> str:
    return "1" if write else ""
