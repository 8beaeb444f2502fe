"""`RequestSlots` on Redis: each call is one script in the request's slot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.requests.claims import (
    DOUBT_FIELDS,
    SLOT_FIELDS,
    eval_claim,
    eval_command,
    flat,
    read_doubt,
    read_error,
    read_event,
    read_state,
    slot_keys,
    slot_state,
)
from paydispatch.adapters.redis.requests.open_requests import note_open
from paydispatch.adapters.redis.scripts import within_answer_timeout
from paydispatch.adapters.redis.workers import note_requests
from paydispatch.domain.claims import Disputed, Go, NoSend, SlotState
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.limits import HORIZON_S, REMEMBER_S
from paydispatch.domain.outcomes import Response
from paydispatch.domain.stripe.repeats import Repeat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.domain.claims import Claim, Send, SendEnd
    from paydispatch.domain.entry import OutcomeEntry
    from paydispatch.domain.looks.messages import EventMessage
    from paydispatch.domain.looks.noted_doubts import NotedDoubt
    from paydispatch.domain.outcomes import Error
    from paydispatch.domain.rates.waiting import Waiting
    from paydispatch.domain.stripe.accounts import AccountBinding
    from paydispatch.ports import Clock


class RedisRequests:
    """Runs the scripts of `lua/requests/` that begin and end a claim, a send, a doubt and a request."""

    def __init__(self, redis: Redis, clock: Clock, *, queue_tenant: str) -> None:
        self._redis = redis
        self._clock = clock
        self._queue_tenant = queue_tenant

    async def claim(self, claim: Claim) -> SlotState:
        state = read_state(await self._run(eval_claim(claim, queued=True)))
        await self._keep_first(state.repeat_of)
        return state

    async def find(self, claim: Claim) -> SlotState | None:
        request, sends = slot_keys(claim)
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hmget(request, ["fingerprint", *SLOT_FIELDS])
            pipe.scard(sends)
            (fingerprint, *found), open_sends = await pipe.execute()
        if fingerprint is None:
            return None
        if fingerprint != claim.fingerprint:
            return SlotState(owned=False)
        fields = dict(zip(SLOT_FIELDS, found, strict=True))
        return slot_state(fields, existed=True, open_sends=open_sends)

    async def send(self, claim: Claim, send: Send) -> Go | NoSend:
        """Open a send, and read the seen-mark of the worker's slot in the same round trip."""
        account = send.account
        command = eval_command(
            "send",
            slot_keys(claim),
            REMEMBER_S,
            claim.fingerprint,
            send.token,
            HORIZON_S,
            send.attempt,
            json.dumps(account.as_dict()),
            account.account_id or "",
            account.mode,
            account.headers,
            account.key_sha256,
            send.rule.value,
        )
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            pipe.execute_command(*command)
            self._note_open(pipe, claim)
            (word, *times), _, mark = await pipe.execute()
        # If a settled outcome was published, nothing is left to do. Another request's slot proves nothing.
        if word != NoSend.NOT_OWNED and str(mark or "").startswith("settled"):
            return NoSend.PUBLISHED
        if word == "go" and send.rule is not Repeat.KEYED and mark:
            return NoSend.TOLD
        return Go(float(times[0]), float(times[1])) if word == "go" else NoSend(word)

    async def end_send(self, claim: Claim, token: str, end: SendEnd) -> None:
        names, fingerprint = slot_keys(claim), claim.fingerprint
        await self._run(eval_command("end_send", names, REMEMBER_S, fingerprint, token, end.value))

    async def keep_message(self, claim: Claim, message: str) -> EventMessage | None:
        """Keep the message, and note its tenant. A tenant may be noted although the slot is another request's."""
        command = eval_command(
            "keep_message", slot_keys(claim), REMEMBER_S, claim.fingerprint, message
        )
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            pipe.execute_command(*command)
            if claim.tenant != self._queue_tenant:
                now_s = self._clock.now_s()
                pipe.zadd(keys.DOUBT_TENANTS, {claim.tenant: now_s})
                pipe.zremrangebyscore(keys.DOUBT_TENANTS, "-inf", now_s - REMEMBER_S)
                pipe.expire(keys.DOUBT_TENANTS, REMEMBER_S)
            event, *_ = await pipe.execute()
        return read_event(event)

    async def keep_event(self, slot: str, event: EventMessage) -> bool:
        command = eval_command("keep_event", [keys.request(slot)], event.as_json())
        return bool(await self._run(command))

    async def find_doubt(self, slot: str) -> NotedDoubt | None:
        async with within_answer_timeout():
            found: Any = await self._redis.hmget(keys.request(slot), DOUBT_FIELDS)
        return read_doubt(slot, dict(zip(DOUBT_FIELDS, found, strict=True)))

    async def tenants_in_doubt(self) -> Sequence[str]:
        async with within_answer_timeout():
            found: Any = await self._redis.zrange(keys.DOUBT_TENANTS, 0, -1)
        return sorted(found)

    async def close(self, claim: Claim, error: Error, *, token: str = "") -> Error | Disputed:
        word, *stands = await self._run(
            eval_command(
                "close",
                slot_keys(claim),
                REMEMBER_S,
                claim.fingerprint,
                token,
                json.dumps(error.as_dict()),
            )
        )
        return read_error(stands[0]) or error if word == "closed" else Disputed(word)

    async def mark_retrying(
        self, claim: Claim, retry_at: float, *, attempts: int, waiting: Waiting | None = None
    ) -> None:
        status = {
            "status": "retrying",
            "attempts": attempts,
            "retry_at": retry_at,
            "waiting": "" if waiting is None else waiting.as_text(),
        }
        command = _write_status(slot_keys(claim), claim.fingerprint, status)
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            pipe.execute_command(*command)
            self._note_open(pipe, claim)
            await pipe.execute()

    async def write_status(self, entry: OutcomeEntry) -> None:
        tenant = entry.tenant or self._queue_tenant
        slot = slot_name(tenant, entry.request_id, self._queue_tenant)
        names = [keys.request(slot), keys.sends(slot)]
        claim_fields, status = _claim_fields(entry, tenant), _status_fields(entry)
        repeat_of = await self._run(
            _write_status(names, entry.fingerprint or "", status, claim_fields)
        )
        await self._keep_first(repeat_of)

    async def note_unset_metadata(self, account: AccountBinding) -> None:
        now_s = self._clock.now_s()
        async with within_answer_timeout(), self._redis.pipeline(transaction=False) as pipe:
            for name in account.names:
                pipe.set(keys.unset_metadata(name), now_s, ex=REMEMBER_S)
            await pipe.execute()

    async def accept_account(self, claim: Claim, account: AccountBinding) -> None:
        fields = {
            "account": json.dumps(account.as_dict()),
            "account_id": account.account_id or "",
            "account_mode": account.mode,
            "account_headers": account.headers,
            "account_key": account.key_sha256,
        }
        await self._run(_write_status(slot_keys(claim), claim.fingerprint, fields))

    async def _keep_first(self, repeat_of: str | None) -> None:
        """Keep the slot of the first request under the key for as long as that of its repeat.

        It leads to the repeat. Without it the key would make the first request once more. The two slots may be on two
        nodes of a cluster, so this is a second step.
        """
        if repeat_of is not None:
            await self._run(["EXPIRE", keys.request(repeat_of), REMEMBER_S])

    async def _run(self, command: list[Any]) -> Any:
        async with within_answer_timeout():
            return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]

    def _note_open(self, pipe: Any, claim: Claim) -> None:
        """Note the worker, and then the request in the worker's slot. Only the owner of the claim may do this."""
        note_requests(pipe, [claim.worker_slot])
        note_open(
            pipe,
            claim.worker_slot,
            claim.request_id,
            accepted_at=claim.accepted_at,
            now_s=self._clock.now_s(),
        )


def _write_status(
    names: Sequence[str],
    fingerprint: str,
    status: Mapping[str, Any],
    claim_fields: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Return the command that writes `status`. It writes `claim_fields` too, if the slot has expired."""
    words = flat(claim_fields or {})
    return eval_command(
        "write_status", names, REMEMBER_S, fingerprint, len(words), *words, *flat(status)
    )


def _claim_fields(entry: OutcomeEntry, tenant: str) -> dict[str, Any]:
    if entry.fingerprint is None:  # an older release wrote the entry, so it owns no slot
        return {}
    return {
        "tenant": tenant,
        "principal": entry.principal or "",
        "worker_id": entry.worker_id,
        "context_id": entry.context_id,
        "operation": entry.operation,
        "object": entry.object,
        "fingerprint": entry.fingerprint,
    }


def _status_fields(entry: OutcomeEntry) -> dict[str, Any]:
    fields = {
        "attempts": entry.outcome.attempts,
        "settled_at": entry.settled_at,
        "answered": "1" if entry.outcome.answered else "",
    }
    if isinstance(entry.outcome, Response):
        return {**fields, "status": "succeeded", "parsed_data": json.dumps(entry.outcome.body)}
    status = "failed" if entry.outcome.settled else "unknown"
    return {**fields, "status": status, "parsed_error": json.dumps(entry.outcome.as_dict())}
