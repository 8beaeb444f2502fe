"""`RequestBoard` on Redis: the same hash the Stripe caller writes, from the door's side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters import redis_keys as keys
from paydispatch.adapters.clock import SystemClock
from paydispatch.adapters.redis_open import note_open
from paydispatch.adapters.redis_scripts import unavailable_for_redis_errors
from paydispatch.domain.units import REMEMBER_S
from paydispatch.ports import Claim, RequestRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis import Redis

    from paydispatch.ports import Clock


class RedisBoard:
    def __init__(self, redis: Redis, clock: Clock | None = None) -> None:
        self._redis = redis
        self._clock = clock or SystemClock()

    def claim(self, fingerprints: Mapping[str, str]) -> Mapping[str, Claim]:
        with unavailable_for_redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for request_id, fingerprint in fingerprints.items():
                key = keys.request(request_id)
                pipe.hsetnx(key, "fingerprint", fingerprint)
                pipe.hmget(key, ["fingerprint", "queued"])
                pipe.expire(key, REMEMBER_S)
            found = pipe.execute()[1::3]
        return {
            request_id: Claim(same_body=stored == fingerprint, queued=queued == "1")
            for (request_id, fingerprint), (stored, queued) in zip(
                fingerprints.items(), found, strict=True
            )
        }

    def queued(self, records: Sequence[RequestRecord]) -> None:
        if not records:
            return
        now_s = self._clock.now_s()
        with unavailable_for_redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for record in records:
                key = keys.request(record.request_id)
                # The Stripe caller may have been quicker: its status stands.
                pipe.hsetnx(key, "status", record.status)
                pipe.hset(key, mapping=_identity(record))
                pipe.expire(key, REMEMBER_S)
                note_open(pipe, record.worker_id, record.request_id, accepted_at=now_s, now_s=now_s)
            pipe.sadd(keys.WORKERS, *{record.worker_id for record in records})
            pipe.execute()

    def find(self, request_id: str) -> RequestRecord | None:
        with unavailable_for_redis_errors():
            fields: dict[str, str] = self._redis.hgetall(keys.request(request_id))  # type: ignore[assignment]
        return _record(request_id, fields) if "status" in fields else None


def _identity(record: RequestRecord) -> dict[Any, Any]:
    return {
        "queued": "1",
        "tenant": record.tenant,
        "object": record.object,
        "worker_id": record.worker_id,
        "context_id": record.context_id,
    }


def _record(request_id: str, fields: Mapping[str, str]) -> RequestRecord:
    waiting = fields["status"] == "retrying" and "retry_at" in fields
    return RequestRecord(
        request_id=request_id,
        tenant=fields["tenant"],
        object=fields["object"],
        worker_id=fields["worker_id"],
        context_id=fields["context_id"],
        status=fields["status"],
        attempts=int(fields.get("attempts", 0)),
        parsed_data=_json(fields.get("parsed_data")),
        parsed_error=None if "parsed_data" in fields else _json(fields.get("parsed_error")),
        retry_at=float(fields["retry_at"]) if waiting else None,
    )


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
