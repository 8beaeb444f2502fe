"""`RequestStore` on Redis: the request's slot from the API's side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.requests.claims import (
    again_command,
    claim_command,
    read_account,
    read_state,
)
from paydispatch.adapters.redis.requests.open_requests import open_command
from paydispatch.adapters.redis.scripts import run_pipeline, unavailable_for_redis_errors
from paydispatch.adapters.redis.workers import request_note
from paydispatch.domain.identity.slots import bare_name
from paydispatch.domain.rates.waiting import read_waiting
from paydispatch.domain.stripe.resources import create_of
from paydispatch.ports import RequestRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis import Redis

    from paydispatch.adapters.redis.scripts import Command
    from paydispatch.domain.claims import Claim, SlotState
    from paydispatch.ports import Clock

_HEALTH_KEPT_S = 60


class RedisRequestStore:
    """Claims with one script per request and reads the request's hash. A call is one pipeline."""

    def __init__(self, redis: Redis, clock: Clock) -> None:
        self._redis = redis
        self._clock = clock

    def claim(self, claims: Sequence[Claim]) -> Sequence[SlotState]:
        answers = self._run([claim_command(claim, None) for claim in claims])
        return [read_state(answer) for answer in answers]

    def count_repeats(self, ended: Sequence[tuple[Claim, int]]) -> Sequence[int]:
        newest = self._run([again_command(first, number) for first, number in ended])
        return [int(number) for number in newest]

    def mark_queued(self, claims: Sequence[Claim]) -> None:
        now_s = self._clock.now_s()
        commands: list[Command] = []
        for claim in claims:
            worker, id_ = claim.worker_slot, claim.request_id
            # Claim again, because Redis may have been unavailable before the send to SQS.
            commands.append(claim_command(claim, ("queued_at", now_s)))
            commands.append(open_command(worker, id_, accepted_at=now_s, now_s=now_s))
        if commands:
            self._run([request_note({claim.worker_slot for claim in claims}), *commands])

    def _run(self, commands: Sequence[Command]) -> list[Any]:
        """Run the commands in one round trip."""
        with unavailable_for_redis_errors():
            return run_pipeline(self._redis, commands) if commands else []

    def get(self, slot: str) -> RequestRecord | None:
        with unavailable_for_redis_errors():
            fields: dict[str, str] = self._redis.hgetall(keys.request(slot))  # type: ignore[assignment]
        # A request that is only claimed is not reported, because SQS may never have received it.
        known = "tenant" in fields and ("queued" in fields or "status" in fields)
        return make_record(bare_name(slot), fields) if known else None

    def check(self) -> None:
        """Write a key. A read proves nothing, because a replica and a full Redis answer it too."""
        with unavailable_for_redis_errors():
            self._redis.set(keys.HEALTH, "", ex=_HEALTH_KEPT_S)


def make_record(request_id: str, fields: Mapping[str, str]) -> RequestRecord:
    """Return the status that these fields of a slot hold."""
    status = fields.get("status", "dispatched")
    waiting = status == "retrying" and "retry_at" in fields
    return RequestRecord(
        request_id=request_id,
        tenant=fields["tenant"],
        object=fields["object"],
        operation=fields.get("operation") or create_of(fields["object"]),
        worker_id=fields["worker_id"],
        context_id=fields["context_id"],
        status=status,
        attempts=int(fields.get("attempts", 0)),
        parsed_data=_json(fields.get("parsed_data")),
        parsed_error=None if "parsed_data" in fields else _json(fields.get("parsed_error")),
        retry_at=float(fields["retry_at"]) if waiting else None,
        waiting=read_waiting(fields.get("waiting")) if waiting else None,
        account=_account(fields.get("account")),
        fingerprint=fields.get("fingerprint"),
    )


def _account(text: str | None) -> str | None:
    binding = read_account(text)
    return None if binding is None else binding.rate_account


def _json(text: str | None) -> Any:
    return None if text is None else json.loads(text)
