"""Guards of proof by event: an event settles only its own request, by that request's own object."""

from guard import LUA, SOURCE, Guard

SIGNED = "Only an event that Stripe signed for this webhook, just now, gets to the look queue."
NAMES_ONLY = "Nothing of an event is kept but the names of the event, the account and the request."
OWN_EVENT = "An event of another account, mode, tenant or request never settles a request."
OWN_OBJECT = "A fetched object of another request never settles a request."
NO_ABSENCE = "The absence of an event or of an effect never settles a request by an event."
COMPLETE = "An event settles only by an object whose create is complete."
NOTED = "The message of a doubt is kept until the status is final, and for its own request only."

SIGNATURES = SOURCE + "domain/web/stripe_signatures.py"
TAKE = SOURCE + "services/take_event.py"
SETTLE = SOURCE + "services/settle_by_event.py"
LOOK = SOURCE + "services/look_for_event.py"
PLACES = SOURCE + "domain/looks/event_places.py"
TABLE = SOURCE + "domain/looks/provable_events.py"
DOUBTS = SOURCE + "domain/looks/noted_doubts.py"

AT_THE_API = (
    "tests/unit/domain/test_stripe_signatures.py",
    "tests/unit/handlers/test_api_events.py",
)
SETTLING = ("tests/unit/services/test_settle_by_event.py",)
IN_SLOTS = ("tests/integration/adapters/test_slot_doubts.py",)
ROWS = ("tests/unit/domain/test_provable_events.py", *SETTLING)

EVENT_GUARDS: tuple[Guard, ...] = (
    Guard(
        "event: a forged signature counts",
        SIGNED,
        TAKE,
        "        if not is_signed(sent.body, signed, self._find_secrets(sent)):\n",
        "        if not self._find_secrets(sent):\n",
        AT_THE_API,
    ),
    Guard(
        "event: the signature does not cover the body",
        SIGNED,
        SIGNATURES,
        '    payload = b"%d.%s" % (signed.at, body)\n',
        '    payload = b"%d.%s" % (signed.at, body[:10])\n',
        AT_THE_API,
    ),
    Guard(
        "event: a stale signature counts",
        SIGNED,
        SIGNATURES,
        "SignatureFault.STALE if at < now_s - TOLERANCE_S else Signed(at, signatures)",
        "Signed(at, signatures)",
        AT_THE_API,
    ),
    Guard(
        "event: a name with other characters is asked for",
        SIGNED,
        TAKE,
        "self._secrets.find(sent.tenant, sent.webhook) if sound else None",
        "self._secrets.find(sent.tenant, sent.webhook)",
        AT_THE_API,
    ),
    Guard(
        "event: a webhook of one tenant settles the request of another",
        OWN_EVENT,
        SETTLE,
        "        if event.tenant is None:\n            tenants +=",
        "        if True:\n            tenants += [self._queue_tenant]\n            tenants +=",
        SETTLING,
    ),
    Guard(
        "event: another account's event settles",
        OWN_EVENT,
        PLACES,
        "        return OTHER_ACCOUNT\n",
        "        return None\n",
        SETTLING,
    ),
    Guard(
        "event: another mode's event settles",
        OWN_EVENT,
        PLACES,
        "        return OTHER_MODE\n",
        "        return None\n",
        SETTLING,
    ),
    Guard(
        "event: a key of another account reads the object",
        OWN_EVENT,
        SOURCE + "services/lookups/own_account.py",
        "    return await check_account(ports, unknown, key, same_account=False) or key\n",
        "    return key\n",
        SETTLING,
    ),
    Guard(
        "event: its type is not checked",
        OWN_EVENT,
        TABLE,
        "    if event_type not in PROVABLE_EVENTS.get(operation_name, ()):\n        return None\n",
        "",
        ROWS,
    ),
    Guard(
        "event: Stripe's own word about its request is not checked",
        OWN_EVENT,
        LOOK,
        '        same = (told, body.get("type")) == (self.unknown.entry.request_id, self.event.type)\n',
        "        same = True\n",
        SETTLING,
    ),
    Guard(
        "event: an update under an id that others may use as a key settles",
        OWN_EVENT,
        SETTLE,
        "proof is EventProof.EVENT and not is_made_id(event.request_id)",
        "False",
        SETTLING,
    ),
    Guard(
        "event: an object with another request's mark settles",
        OWN_OBJECT,
        LOOK,
        "        if isinstance(found, Found) and _mark_of(found.body) != entry.request_id:\n"
        "            return Inconclusive(NOT_MARKED)\n",
        "",
        SETTLING,
    ),
    Guard(
        "event: an object with another id settles",
        OWN_OBJECT,
        LOOK,
        '        if fetched.body is None or fetched.body.get("id") != own:\n',
        "        if fetched.body is None:\n",
        SETTLING,
    ),
    Guard(
        "event: an update of another object settles",
        OWN_OBJECT,
        LOOK,
        "        if named != own:\n            return Inconclusive(NOT_OWN)\n",
        "",
        SETTLING,
    ),
    Guard(
        "event: the message of another request in the slot settles",
        OWN_OBJECT,
        DOUBTS,
        "claim.request_id != doubt.request_id or claim.fingerprint != doubt.fingerprint",
        "claim.request_id != doubt.request_id",
        SETTLING,
    ),
    Guard(
        "event: an absence of the effect is decided",
        NO_ABSENCE,
        SETTLE,
        "        if not isinstance(found, Found):\n",
        "        if isinstance(found, Inconclusive):\n",
        SETTLING,
    ),
    Guard(
        "event: the absence of an event settles",
        NO_ABSENCE,
        SOURCE + "services/looks/ask_events.py",
        "        if read.stopped is not None:\n",
        "        from paydispatch.domain.operators.lookup_results import NotFound\n"
        "        from paydispatch.services.looks.settle import act_on\n"
        "        for one in mine:\n"
        "            known = await self._ports.unknown_outcomes.read(one.worker, one.request_id)\n"
        "            now_s = self._ports.clock.now_s()\n"
        "            if known is not None and not read.events:\n"
        "                await act_on(self._ports, known, NotFound(now_s), now_s)\n"
        "        if read.stopped is not None:\n",
        ("tests/unit/services/test_ask_events.py",),
    ),
    Guard(
        "event: an incomplete object settles",
        COMPLETE,
        SETTLE,
        "        return _TooEarly(decided.why) if isinstance(decided, StaysUnknown) else decided\n",
        "        return replace(unknown.entry.outcome, answered=True, certainty='not_created') "
        "if isinstance(decided, StaysUnknown) else decided\n",
        SETTLING,
    ),
    Guard(
        "doubt: the message of another request is kept (keep_message.lua)",
        NOTED,
        LUA + "requests/keep_message.lua",
        "slot[1] ~= ARGV[2] or ",
        "",
        IN_SLOTS,
    ),
    Guard(
        "doubt: a final status keeps the message (write_status.lua)",
        NOTED,
        LUA + "requests/write_status.lua",
        "  redis.call('HDEL', KEYS[1], 'message', 'event')",
        "  redis.call('HLEN', KEYS[1])",
        IN_SLOTS,
    ),
    Guard(
        "doubt: a message is noted after a final status (keep_message.lua)",
        NOTED,
        LUA + "requests/keep_message.lua",
        " or slot[2] == 'succeeded' or slot[2] == 'failed'",
        "",
        IN_SLOTS,
    ),
    Guard(
        "doubt: a redelivery does not note it",
        NOTED,
        SOURCE + "services/call_stripe.py",
        "    if state.in_doubt:  # an earlier receive may have died before it noted the doubt\n"
        "        await keep_message(call, progress)\n",
        "",
        SETTLING,
    ),
    Guard(
        "event: one that came before the doubt is lost (keep_message.lua)",
        NOTED,
        LUA + "requests/keep_message.lua",
        "return event\n",
        "",
        IN_SLOTS,
    ),
    Guard(
        "event: it is kept although the doubt is noted (keep_event.lua)",
        NOTED,
        LUA + "requests/keep_event.lua",
        " or slot[3] then",
        " then",
        IN_SLOTS,
    ),
    Guard(
        "event: the caller does not send a kept one on",
        NOTED,
        SOURCE + "services/calls/keep_message.py",
        "        if event is not None:\n            await call.ports.look_queue.send(event, 0)\n",
        "",
        SETTLING,
    ),
    Guard(
        "event: the object of the event is kept",
        NAMES_ONLY,
        SOURCE + "domain/looks/messages.py",
        "        created=_seconds(created),\n        tenant=tenant,\n",
        '        created=_seconds(created),\n        tenant=str(event.get("data")),\n',
        AT_THE_API,
    ),
)
