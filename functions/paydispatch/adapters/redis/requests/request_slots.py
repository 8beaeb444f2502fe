"""`RequestSlots` on Redis: each call is one script in the request's slot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from paydispatch.adapters.redis import keys
from paydispatch.adapters.redis.requests.claims import (
    DOUBT_FIELDS,
    SLOT_FIELDS,
    claim_command,
    flat,
    read_doubt,
    read_error,
    read_event,
    read_state,
    slot_keys,
    slot_state,
)
from paydispatch.adapters.redis.requests.open_requests import open_command
from paydispatch.adapters.redis.scripts import call_script
from paydispatch.adapters.redis.shared_pipelines import SharedPipelines
from paydispatch.adapters.redis.workers import request_note
from paydispatch.domain.claims import Disputed, Go, NoSend, SlotState
from paydispatch.domain.identity.slots import slot_name
from paydispatch.domain.limits import HORIZON_S, REMEMBER_S
from paydispatch.domain.operators.traces import MOST_LATER_SENDS
from paydispatch.domain.outcomes import Response
from paydispatch.domain.stripe.repeats import Repeat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from paydispatch.adapters.redis.scripts import Command
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

    def __init__(
        self,
        redis: Redis,
        clock: Clock,
        *,
        queue_tenant: str,
        pipelines: SharedPipelines | None = None,
    ) -> None:
        self._pipelines = pipelines or SharedPipelines(redis)
        self._clock = clock
        self._queue_tenant = queue_tenant

    async def claim(self, claim: Claim) -> SlotState:
        received = "received_at", self._clock.now_s()
        state = read_state(await self._run(claim_command(claim, received)))
        await self._keep_first(state.repeat_of)
        return state

    async def find(self, claim: Claim) -> SlotState | None:
        request, sends = slot_keys(claim)
        read = ("HMGET", request, "fingerprint", *SLOT_FIELDS)
        (fingerprint, *found), open_sends = await self._pipelines.run(read, ("SCARD", sends))
        if fingerprint is None:
            return None
        if fingerprint != claim.fingerprint:
            return SlotState(owned=False)
        fields = dict(zip(SLOT_FIELDS, found, strict=True))
        return slot_state(fields, existed=True, open_sends=open_sends)

    async def send(self, claim: Claim, send: Send) -> Go | NoSend:
        """Open a send, and read the seen-mark of the worker's slot in the same round trip."""
        account = send.account
        command = call_script(
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
            MOST_LATER_SENDS,
        )
        (word, *times), _, mark = await self._pipelines.run(command, *self._open_commands(claim))
        # If a settled outcome was published, nothing is left to do. Another request's slot proves nothing.
        if word != NoSend.NOT_OWNED and str(mark or "").startswith("settled"):
            return NoSend.PUBLISHED
        if word == "go" and send.rule is not Repeat.KEYED and mark:
            return NoSend.TOLD
        return Go(float(times[0]), float(times[1])) if word == "go" else NoSend(word)

    async def end_send(self, claim: Claim, token: str, end: SendEnd) -> None:
        names, fingerprint = slot_keys(claim), claim.fingerprint
        await self._run(call_script("end_send", names, REMEMBER_S, fingerprint, token, end.value))

    async def keep_message(self, claim: Claim, message: str) -> EventMessage | None:
        """Keep the message, and note its tenant. A tenant may be noted although the slot is another request's."""
        commands: list[Command] = [
            call_script("keep_message", slot_keys(claim), REMEMBER_S, claim.fingerprint, message)
        ]
        if claim.tenant != self._queue_tenant:
            commands += self._note_tenant(claim.tenant)
        event, *_ = await self._pipelines.run(*commands)
        return read_event(event)

    def _note_tenant(self, tenant: str) -> list[Command]:
        now_s = self._clock.now_s()
        return [
            ("ZADD", keys.DOUBT_TENANTS, now_s, tenant),
            ("ZREMRANGEBYSCORE", keys.DOUBT_TENANTS, "-inf", now_s - REMEMBER_S),
            ("EXPIRE", keys.DOUBT_TENANTS, REMEMBER_S),
        ]

    async def keep_event(self, slot: str, event: EventMessage) -> bool:
        command = call_script("keep_event", [keys.request(slot)], event.as_json())
        return bool(await self._run(command))

    async def find_doubt(self, slot: str) -> NotedDoubt | None:
        found = await self._run(("HMGET", keys.request(slot), *DOUBT_FIELDS))
        return read_doubt(slot, dict(zip(DOUBT_FIELDS, found, strict=True)))

    async def tenants_in_doubt(self) -> Sequence[str]:
        noted, noted_before = await self._pipelines.run(
            ("ZRANGE", keys.DOUBT_TENANTS, 0, -1), ("SMEMBERS", keys.OLD_DOUBT_TENANTS)
        )
        return sorted({*noted, *noted_before})

    async def close(self, claim: Claim, error: Error, *, token: str = "") -> Error | Disputed:
        word, *stands = await self._run(
            call_script(
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
        await self._pipelines.run(command, *self._open_commands(claim))

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
        names = [keys.unset_metadata(name) for name in account.names]
        await self._pipelines.run(*(("SET", name, now_s, "EX", REMEMBER_S) for name in names))

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
            await self._run(("EXPIRE", keys.request(repeat_of), REMEMBER_S))

    async def _run(self, command: Command) -> Any:
        (answer,) = await self._pipelines.run(command)
        return answer

    def _open_commands(self, claim: Claim) -> tuple[Command, Command]:
        """Return the commands that note the worker, and then the request in the worker's slot.

        Only the owner of the claim may run them.
        """
        noted = open_command(
            claim.worker_slot,
            claim.request_id,
            accepted_at=claim.accepted_at,
            now_s=self._clock.now_s(),
        )
        return request_note([claim.worker_slot]), noted


def _write_status(
    names: Sequence[str],
    fingerprint: str,
    status: Mapping[str, Any],
    claim_fields: Mapping[str, Any] | None = None,
) -> Command:
    """Return the command that writes `status`. It writes `claim_fields` too, if the slot has expired."""
    words = flat(claim_fields or {})
    return call_script(
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
        "stripe_request_id": entry.outcome.stripe_request_id or "",
    }
    if isinstance(entry.outcome, Response):
        return {**fields, "status": "succeeded", "parsed_data": json.dumps(entry.outcome.body)}
    status = "failed" if entry.outcome.settled else "unknown"
    if status == "unknown":
        fields["unknown_at"] = entry.settled_at
    return {**fields, "status": status, "parsed_error": json.dumps(entry.outcome.as_dict())}
