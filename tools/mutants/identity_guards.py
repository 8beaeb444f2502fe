"""Guards of a request's identity: claim, send, close and outcome, in the Lua scripts, the twin and the services."""

from __future__ import annotations

from guard import LATCH, LUA, SOURCE, Guard

SLOTS = (
    "tests/integration/adapters/test_slot_claims.py",
    "tests/integration/adapters/test_slot_sends.py",
    "tests/integration/adapters/test_slot_ends.py",
)
"""The tests that Redis and the twin must both pass."""

TWIN = (*SLOTS, "tests/unit/services", "tests/model")

ACCOUNTS = SOURCE + "domain/stripe/accounts.py"
CALL = SOURCE + "services/call_stripe.py"
OPEN_SEND = SOURCE + "services/calls/open_send.py"
CONCLUDE = SOURCE + "services/calls/conclude.py"
CALL_BATCH = SOURCE + "services/call_batch.py"
CLAIMS = SOURCE + "domain/claims.py"
READ_MESSAGE = SOURCE + "domain/message/read_message.py"
FINGERPRINT = SOURCE + "domain/identity/fingerprint.py"
IDENTITY = SOURCE + "domain/identity/request_ids.py"
PRINCIPAL = SOURCE + "domain/identity/principal.py"
PROVE = SOURCE + "services/calls/prove_principal.py"
REDIS_REQUESTS = SOURCE + "adapters/redis/requests/request_slots.py"
PUBLISH = SOURCE + "services/calls/publish_outcome.py"
REQUESTS_TWIN = SOURCE + "testing/memory_requests.py"
RETRY_RULES = SOURCE + "domain/retry.py"
SLOT_NAMES = SOURCE + "domain/identity/slots.py"
UNITS = SOURCE + "domain/limits.py"

CLOSED = "A request is closed only if no other send is open or in doubt, and no send follows."
FENCE = "The POST leaves within five seconds of its send's answer, or send is called again."
FINAL = "A final status means that the outcome was published."
HORIZON = "After 23 h nothing is POSTed again under the old idempotency key."
MEMORY_ENDS = "A request that is older than Redis' memory is not sent again."
NO_DROP = "No accepted request is dropped without a flow."
NO_NEEDLESS_DOUBT = "Only a call that was made can make the outcome unknown."
ONCE = "Each request has one settled flow, and no send follows it."
ONE_ACCOUNT = (
    "While a send may have had an effect, nothing is POSTed under another account or mode."
)
ONE_ID = "An id stands for one request."
OPEN = "A send stays open until its end is certain."
OWN_TENANT = "A request, its worker and its keys belong only to its tenant."
REBIND = "While no send is open or in doubt, the request moves to the new key."
UNPROVEN = "Before a principal is proven, nothing is written for it and no flow runs."

IDENTITY_GUARDS = (
    Guard(
        "claim: another request counts as the same (twin)",
        ONE_ID,
        REQUESTS_TWIN,
        "        if slot.claim.fingerprint != claim.fingerprint:\n"
        "            return SlotState(owned=False)\n",
        "",
    ),
    Guard(
        "claim: another request counts as the same (claim.lua)",
        ONE_ID,
        LUA + "requests/claim.lua",
        "if fingerprint and fingerprint ~= ARGV[2] then\n  return {0}\nend",
        "",
        SLOTS,
    ),
    Guard(
        "claim: it is made before the principal is proven",
        UNPROVEN,
        CALL,
        "    if not await _is_proven(call):\n",
        "    if False:\n",
    ),
    Guard(
        "claim: it proves a message with another seal",
        UNPROVEN,
        CLAIMS,
        "        same = self.principal == claim.principal and self.seal == claim.seal\n"
        "        return self.owned and claim.seal is not None and same",
        "        return self.owned and self.principal == claim.principal",
    ),
    Guard(
        "claim: it proves another principal",
        UNPROVEN,
        CLAIMS,
        "self.principal == claim.principal and self.seal == claim.seal",
        "self.seal == claim.seal",
    ),
    Guard(
        "claim: the seal is not kept (claim.lua)",
        UNPROVEN,
        LUA + "requests/claim.lua",
        "'queued', 'principal', 'seal', 'repeats'",
        "'queued', 'principal', 'fingerprint', 'repeats'",
        SLOTS,
    ),
    Guard(
        "claim: a message without a seal counts as proven",
        UNPROVEN,
        PROVE,
        "    if sealed_secret is None:\n        return False\n",
        "    if sealed_secret is None:\n        return True\n",
    ),
    Guard(
        "claim: an unreadable message of any principal gets a flow",
        UNPROVEN,
        CALL_BATCH,
        "        if not await is_proven(self._ports, claim, address.binding, address.sealed_secret):\n"
        "            return False\n",
        "",
    ),
    Guard(
        "claim: a second message of one request is acknowledged",
        NO_DROP,
        CALL,
        "    if state.final:\n",
        "    if state.final or state.existed:\n",
    ),
    Guard(
        "claim: another request under a used id is dropped",
        NO_DROP,
        CALL,
        "            await report_reused_id(call, progress)\n            return None",
        "            return None",
    ),
    Guard(
        "claim: the latch of a message is not kept (twin)",
        LATCH,
        REQUESTS_TWIN,
        "        slot.maybe_executed |= claim.maybe_executed\n",
        "",
        SLOTS,
    ),
    Guard(
        "claim: the latch of a message is not kept (claim.lua)",
        LATCH,
        LUA + "requests/claim.lua",
        "if ARGV[3] == '1' then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "claim: a later first send replaces an earlier (claim.lua)",
        HORIZON,
        LUA + "requests/claim.lua",
        "  if not first or tonumber(ARGV[4]) < tonumber(first) then",
        "  if true then",
        SLOTS,
    ),
    Guard(
        "claim: a later first send replaces an earlier (twin)",
        HORIZON,
        REQUESTS_TWIN,
        "    if slot.first_sent_at is None or first_sent_at < slot.first_sent_at:\n",
        "    if True:\n",
        SLOTS,
    ),
    Guard(
        "forgotten: an old message is sent from an empty slot",
        MEMORY_ENDS,
        CLAIMS,
        "        older_than_memory=now_s - envelope.accepted_at >= FORGOTTEN_S,",
        "        older_than_memory=False,",
    ),
    Guard(
        "forgotten: an old message is sent from an empty slot (twin)",
        MEMORY_ENDS,
        REQUESTS_TWIN,
        "        if not existed and claim.older_than_memory:\n",
        "        if False:\n",
    ),
    Guard(
        "forgotten: an old message is sent from an empty slot (claim.lua)",
        MEMORY_ENDS,
        LUA + "requests/claim.lua",
        "  if ARGV[6] ~= '' then",
        "  if false then",
        SLOTS,
    ),
    Guard(
        "forgotten: slots are kept for fifteen days",
        MEMORY_ENDS,
        UNITS,
        "REMEMBER_S = 25 * 86_400",
        "REMEMBER_S = 15 * 86_400",
        ("tests/model",),
    ),
    Guard(
        "fingerprint: the tenant does not count",
        ONE_ID,
        FINGERPRINT,
        "        space,\n",
        "",
    ),
    Guard(
        "fingerprint: the worker does not count",
        ONE_ID,
        FINGERPRINT,
        "        worker_id,\n",
        "",
    ),
    Guard(
        "fingerprint: the context does not count",
        ONE_ID,
        FINGERPRINT,
        "        context_id,\n",
        "",
    ),
    Guard(
        "fingerprint: the operation does not count",
        ONE_ID,
        FINGERPRINT,
        "        operation,\n",
        "",
    ),
    Guard(
        "fingerprint: the path does not count",
        ONE_ID,
        FINGERPRINT,
        "        sorted(path.items()),\n",
        "",
    ),
    Guard(
        "fingerprint: the parameters do not count",
        ONE_ID,
        FINGERPRINT,
        "        _form(params),\n",
        "",
    ),
    Guard(
        "fingerprint: the account's header does not count",
        ONE_ID,
        FINGERPRINT,
        "        stripe_account,\n",
        "",
    ),
    Guard(
        "fingerprint: the context's header does not count",
        ONE_ID,
        FINGERPRINT,
        "        stripe_context,\n    ]",
        "    ]",
    ),
    Guard(
        "fingerprint: the one in the message is trusted",
        ONE_ID,
        CLAIMS,
        "        fingerprint=fingerprint_of(envelope, queue_tenant),",
        "        fingerprint=envelope.fingerprint or fingerprint_of(envelope, queue_tenant),",
    ),
    Guard(
        "fingerprint: equal form pairs give two fingerprints",
        ONE_ID,
        FINGERPRINT,
        "        return sorted(pairs(params))",
        "        return [json.dumps(params, sort_keys=True)]",
    ),
    Guard(
        "ids: two other requests under a used id are one",
        NO_DROP,
        CLAIMS,
        "request_id_for_reuse(self.request_id, self.fingerprint)",
        "request_id_for_reuse(self.request_id, self.slot)",
    ),
    Guard(
        "ids: another request is reported under the first one's id",
        NO_DROP,
        CLAIMS,
        "        return self.under(request_id_for_reuse(self.request_id, self.fingerprint))",
        "        return self.under(self.request_id)",
    ),
    Guard(
        "ids: an unreadable message uses the id that it names",
        NO_DROP,
        READ_MESSAGE,
        "        request_id=request_id_for_unread(named_id, body),",
        "        request_id=named_id,",
    ),
    Guard(
        "ids: two unreadable messages under one id are one",
        NO_DROP,
        READ_MESSAGE,
        "request_id_for_unread(named_id, body)",
        'request_id_for_unread(named_id, "")',
    ),
    Guard(
        "ids: a key means the same to every tenant",
        OWN_TENANT,
        IDENTITY,
        '_hash_parts("key", space, idempotency_key)',
        '_hash_parts("key", "", idempotency_key)',
    ),
    Guard(
        "tenants: all workers and requests have bare names",
        OWN_TENANT,
        SLOT_NAMES,
        '    return name if tenant == queue_tenant else f"{tenant} {name}"',
        "    return name",
    ),
    Guard(
        "tenants: a principal's subject is part of its tenant",
        OWN_TENANT,
        PRINCIPAL,
        '    return queue_tenant if principal == QUEUE else principal.partition("/")[0]',
        "    return queue_tenant if principal == QUEUE else principal",
    ),
    Guard(
        "send: a request with a final status is sent (twin)",
        ONCE,
        REQUESTS_TWIN,
        "    if slot.final:\n        return NoSend.PUBLISHED\n",
        "",
        TWIN,
    ),
    Guard(
        "send: a closed request is sent (twin)",
        CLOSED,
        REQUESTS_TWIN,
        "    if slot.closed is not None:\n        return NoSend.CLOSED\n",
        "",
    ),
    Guard(
        "send: a key is used past its horizon (twin)",
        HORIZON,
        REQUESTS_TWIN,
        "    if slot.first_sent_at is not None and now_s - slot.first_sent_at >= HORIZON_S:\n"
        "        return NoSend.PAST_HORIZON\n",
        "",
    ),
    Guard(
        "send: another account gets a POST while a send is in doubt (twin)",
        ONE_ACCOUNT,
        REQUESTS_TWIN,
        "    return NoSend.OTHER_ACCOUNT if moved and slot.is_in_doubt_besides(send.token) else None",
        "    return None",
    ),
    Guard(
        "send: a refused request waits for its old account (twin)",
        REBIND,
        REQUESTS_TWIN,
        "if moved and slot.is_in_doubt_besides(send.token) else None",
        "if moved else None",
        TWIN,
    ),
    Guard(
        "send: each send restarts the horizon (twin)",
        HORIZON,
        REQUESTS_TWIN,
        "        if slot.first_sent_at is None:\n"
        "            slot.first_sent_at, slot.started_by = now_s, send.token",
        "        if True:\n            slot.first_sent_at, slot.started_by = now_s, send.token",
        TWIN,
    ),
    Guard(
        "send: a send before the last one resets the horizon (twin)",
        HORIZON,
        REQUESTS_TWIN,
        "        elif send.token not in slot.sends:\n            slot.started_by = None\n",
        "",
        TWIN,
    ),
    Guard(
        "send: it is not recorded as open (twin)",
        OPEN,
        REQUESTS_TWIN,
        "        slot.sends.add(send.token)\n",
        "",
    ),
    Guard(
        "send: the seen-mark is not checked (twin)",
        ONCE,
        REQUESTS_TWIN,
        '        if mark == "settled":\n            return NoSend.PUBLISHED\n',
        "",
        TWIN,
    ),
    Guard(
        "send: it uses another request's slot (twin)",
        ONE_ID,
        REQUESTS_TWIN,
        "        return slot if slot and slot.claim.fingerprint == claim.fingerprint else None",
        "        return slot",
        TWIN,
    ),
    Guard(
        "send: a request with a final status is sent (send.lua)",
        ONCE,
        LUA + "requests/send.lua",
        "if slot[2] == 'succeeded' or slot[2] == 'failed' then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "send: a closed request is sent (send.lua)",
        CLOSED,
        LUA + "requests/send.lua",
        "if slot[3] then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "send: a key is used past its horizon (send.lua)",
        HORIZON,
        LUA + "requests/send.lua",
        "if slot[4] and now - tonumber(slot[4]) >= tonumber(ARGV[4]) then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "send: another account gets a POST while a send is in doubt (send.lua)",
        ONE_ACCOUNT,
        LUA + "requests/send.lua",
        "  if not same and (others > 0 or slot[5] == '1') then",
        "  if false then",
        SLOTS,
    ),
    Guard(
        "send: a refused request waits for its old account (send.lua)",
        REBIND,
        LUA + "requests/send.lua",
        "  if not same and (others > 0 or slot[5] == '1') then",
        "  if not same then",
        SLOTS,
    ),
    Guard(
        "send: each send restarts the horizon (send.lua)",
        HORIZON,
        LUA + "requests/send.lua",
        "if not slot[4] then",
        "if true then",
        SLOTS,
    ),
    Guard(
        "send: a send before the last one resets the horizon (send.lua)",
        HORIZON,
        LUA + "requests/send.lua",
        "elseif mine == 0 then",
        "elseif false then",
        SLOTS,
    ),
    Guard(
        "send: it is not recorded as open (send.lua)",
        OPEN,
        LUA + "requests/send.lua",
        "redis.call('SADD', KEYS[2], ARGV[3])\n",
        "",
        SLOTS,
    ),
    Guard(
        "send: it uses another request's slot (send.lua)",
        ONE_ID,
        LUA + "requests/send.lua",
        "if slot[1] ~= ARGV[2] then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "send: the seen-mark is not checked (Redis)",
        ONCE,
        REDIS_REQUESTS,
        '        if word != NoSend.NOT_OWNED and str(mark or "").startswith("settled"):\n'
        "            return NoSend.PUBLISHED\n",
        "",
        SLOTS,
    ),
    Guard(
        "send: all sends of a receive have one token",
        OPEN,
        CALL,
        "    token = secrets.token_hex(8)",
        "    token = call.envelope.request_id",
    ),
    Guard(
        "fence: a POST leaves at any time after its send",
        FENCE,
        OPEN_SEND,
        "clock.now_s() - asked_at <= SEND_AGE_S",
        "True",
    ),
    Guard(
        "account: test and live are the same",
        ONE_ACCOUNT,
        ACCOUNTS,
        "        if (self.mode, self.headers) != (other.mode, other.headers):",
        "        if self.headers != other.headers:",
    ),
    Guard(
        "account: the headers do not count",
        ONE_ACCOUNT,
        ACCOUNTS,
        "        if (self.mode, self.headers) != (other.mode, other.headers):",
        "        if self.mode != other.mode:",
    ),
    Guard(
        "account: two keys that may not ask have one account",
        ONE_ACCOUNT,
        ACCOUNTS,
        "        ids_agree = self.account_id is not None and self.account_id == other.account_id",
        "        ids_agree = self.account_id == other.account_id",
    ),
    Guard(
        "account: a key that may not ask drops the known id (twin)",
        ONE_ACCOUNT,
        REQUESTS_TWIN,
        "    return replace(now, account_id=before.account_id) if before and keeps_id else now",
        "    return now",
        SLOTS,
    ),
    Guard(
        "account: not created is published while another account may have executed it",
        LATCH,
        OPEN_SEND,
        'give_up(with_doubt(progress), "account_changed")',
        'give_up(replace(progress, maybe_executed=False), "account_changed")',
    ),
    Guard(
        "takeback: a send whose answer was lost stays open",
        NO_NEEDLESS_DOUBT,
        OPEN_SEND,
        "        await _take_back(call, send.token)\n        raise",
        "        raise",
    ),
    Guard(
        "takeback: any send resets the horizon (twin)",
        HORIZON,
        REQUESTS_TWIN,
        "        if end is SendEnd.NOT_CONNECTED and slot.started_by == token:",
        "        if end is SendEnd.NOT_CONNECTED:",
    ),
    Guard(
        "takeback: any send resets the horizon (end_send.lua)",
        HORIZON,
        LUA + "requests/end_send.lua",
        "if ARGV[4] == 'not_connected' and slot[2] == ARGV[3] then",
        "if ARGV[4] == 'not_connected' then",
        SLOTS,
    ),
    Guard(
        "takeback: no send resets the horizon (end_send.lua)",
        NO_NEEDLESS_DOUBT,
        LUA + "requests/end_send.lua",
        "if ARGV[4] == 'not_connected' and slot[2] == ARGV[3] then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "takeback: a copy carries the time of a send that was taken back",
        NO_NEEDLESS_DOUBT,
        CALL,
        "replace(progress, store_waits=0) if isinstance(attempt, NotSent) else sent",
        "sent",
    ),
    Guard(
        "end of a send: an unknown one is closed (twin)",
        OPEN,
        REQUESTS_TWIN,
        "        if end is SendEnd.UNKNOWN:\n"
        "            slot.maybe_executed = True\n"
        "            return\n",
        "",
    ),
    Guard(
        "end of a send: an unknown one is closed (end_send.lua)",
        OPEN,
        LUA + "requests/end_send.lua",
        "if ARGV[4] == 'unknown' then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "end of a send: a refused one stays open (twin)",
        NO_NEEDLESS_DOUBT,
        REQUESTS_TWIN,
        "            return\n        slot.sends.discard(token)\n",
        "            return\n",
    ),
    Guard(
        "end of a send: a refused one stays open (end_send.lua)",
        NO_NEEDLESS_DOUBT,
        LUA + "requests/end_send.lua",
        "  redis.call('SREM', KEYS[2], ARGV[3])",
        "  -- nothing",
        SLOTS,
    ),
    Guard(
        "end of a send: another request's slot is changed (end_send.lua)",
        ONE_ID,
        LUA + "requests/end_send.lua",
        "if slot[1] ~= ARGV[2] then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "end of a send: an unknown one counts as refused",
        OPEN,
        RETRY_RULES,
        "            return SendEnd.UNKNOWN if raises_doubt(attempt) else SendEnd.REFUSED",
        "            return SendEnd.REFUSED",
    ),
    Guard(
        "end of a send: a lost answer counts as no connection",
        OPEN,
        RETRY_RULES,
        "        case NotSent():\n            return SendEnd.NOT_CONNECTED\n",
        "        case NotSent() | Unknown():\n            return SendEnd.NOT_CONNECTED\n",
    ),
    Guard(
        "close: an unexecuted outcome is published without it",
        CLOSED,
        CONCLUDE,
        "    if isinstance(outcome, Error) and outcome.settled and not outcome.answered:\n"
        "        closed_with",
        "    if False:\n        closed_with",
    ),
    Guard(
        "close: other sends are not counted (twin)",
        CLOSED,
        REQUESTS_TWIN,
        "            if slot.is_in_doubt_besides(token):\n"
        "                return Disputed.MAYBE_EXECUTED\n",
        "",
    ),
    Guard(
        "close: other sends are not counted (close.lua)",
        CLOSED,
        LUA + "requests/close.lua",
        "  if slot[4] == '1' or redis.call('SCARD', KEYS[2]) > redis.call('SISMEMBER', KEYS[2], ARGV[3]) then",
        "  if slot[4] == '1' then",
        SLOTS,
    ),
    Guard(
        "close: the latch does not count (close.lua)",
        LATCH,
        LUA + "requests/close.lua",
        "  if slot[4] == '1' or redis.call(",
        "  if redis.call(",
        SLOTS,
    ),
    Guard(
        "close: a request with a final status is closed (close.lua)",
        CLOSED,
        LUA + "requests/close.lua",
        "if slot[2] == 'succeeded' or slot[2] == 'failed' then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "close: a later close replaces the first error (close.lua)",
        CLOSED,
        LUA + "requests/close.lua",
        "if not slot[3] then",
        "if true then",
        SLOTS,
    ),
    Guard(
        "close: another request's slot is closed (close.lua)",
        ONE_ID,
        LUA + "requests/close.lua",
        "if slot[1] ~= ARGV[2] then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "close: the next receive does not publish its error",
        NO_DROP,
        CALL,
        "        await publish_and_log(call, progress, state.closed)\n        return None",
        "        return None",
    ),
    Guard(
        "close: a disputed error is published",
        CLOSED,
        CONCLUDE,
        '            raise DeferCall(progress, "Another receive may still have an effect.")',
        "            return error",
    ),
    Guard(
        "final: the status is written before the outcome is published",
        FINAL,
        PUBLISH,
        "    first = await ports.outcomes.publish(entry)\n",
        "    await ports.requests.write_status(entry)\n"
        "    first = await ports.outcomes.publish(entry)\n",
    ),
    Guard(
        "final: a missing status is not written later",
        FINAL,
        PUBLISH,
        "        await write_missing_status(ports, worker_slot, entry.request_id)\n    return first",
        "        pass\n    return first",
    ),
    Guard(
        "final: a status replaces a final one (twin)",
        FINAL,
        REQUESTS_TWIN,
        "        if self.final:\n            return False\n",
        "",
        SLOTS,
    ),
    Guard(
        "final: a status replaces a final one (write_status.lua)",
        FINAL,
        LUA + "requests/write_status.lua",
        "if slot[2] ~= 'succeeded' and slot[2] ~= 'failed' then",
        "if true then",
        SLOTS,
    ),
    Guard(
        "final: another request's status is written (write_status.lua)",
        ONE_ID,
        LUA + "requests/write_status.lua",
        "if slot[1] and ARGV[2] ~= '' and slot[1] ~= ARGV[2] then",
        "if false then",
        SLOTS,
    ),
    Guard(
        "final: another request's status is written (twin)",
        ONE_ID,
        REQUESTS_TWIN,
        "        return slot if slot.claim.fingerprint == claim.fingerprint else None",
        "        return slot",
        SLOTS,
    ),
    Guard(
        "final: unknown counts as final",
        FINAL,
        CLAIMS,
        'FINAL_STATUSES = frozenset({"succeeded", "failed"})',
        'FINAL_STATUSES = frozenset({"succeeded", "failed", "unknown"})',
    ),
)
