"""The guards of repeats under an idempotency key."""

from __future__ import annotations

from guard import LUA, SOURCE, Guard

ONLY_FREED = "Only an outcome without an effect and without a kept answer of Stripe frees its key."
ONE_REPEAT = "Each request without an effect is followed by one repeat, however many ask for it."
ONE_EFFECT = "All requests under one key have one effect at most."
STATUS_OF_NOW = "A repeat under a key answers the status of now."
API_ALONE = "No queue message makes a repeat, because it may be a duplicate."

STATUS_FOLLOWS = "After a settled outcome is published its status is written, whoever dies."

RECONCILE = ("tests/unit/services/test_reconcile.py",)
INDEX = ("tests/integration/adapters/test_unknown_outcomes.py",)
UNIT = (
    "tests/unit/services/test_accept.py",
    "tests/unit/services/test_claim_newest.py",
    "tests/unit/services/test_one_key.py",
)
REDIS = ("tests/integration/test_replays.py",)

CLAIMS = SOURCE + "domain/claims.py"
CLAIM_NEWEST = SOURCE + "services/claim_newest.py"
AGAIN = LUA + "requests/again.lua"

REPLAY_GUARDS: tuple[Guard, ...] = (
    Guard(
        "replay: a key is freed although Stripe keeps the answer",
        ONLY_FREED,
        CLAIMS,
        ' and self.status == "failed" and not self.answered',
        ' and self.status == "failed"',
        UNIT,
    ),
    Guard(
        "replay: a key is freed by an unknown outcome",
        ONLY_FREED,
        CLAIMS,
        ' and self.status == "failed" and not self.answered',
        ' and self.status in ("failed", "unknown") and not self.answered',
        UNIT,
    ),
    Guard(
        "replay: an outcome without an effect never frees its key",
        ONLY_FREED,
        CLAIMS,
        ' and self.status == "failed" and not self.answered',
        " and False",
        UNIT,
    ),
    Guard(
        "replay: another ended repeat is counted (again.lua)",
        ONE_REPEAT,
        AGAIN,
        "if newest == tonumber(ARGV[3]) then",
        "if true then",
        REDIS,
    ),
    Guard(
        "replay: another ended repeat is counted (twin)",
        ONE_REPEAT,
        SOURCE + "testing/memory_requests.py",
        "        slot.repeats += slot.repeats == ended\n",
        "        slot.repeats += 1\n",
        UNIT,
    ),
    Guard(
        "replay: a repeat is counted in another request's slot (again.lua)",
        ONE_REPEAT,
        AGAIN,
        "if slot[1] ~= ARGV[2] then\n  return tonumber(ARGV[3])\nend\n",
        "",
        REDIS,
    ),
    Guard(
        "replay: two repeats have one id",
        ONE_REPEAT,
        SOURCE + "domain/identity/request_ids.py",
        '_hash_parts("again", first_id, str(number))',
        '_hash_parts("again", first_id)',
        UNIT,
    ),
    Guard(
        "replay: the newest repeat is not looked at",
        STATUS_OF_NOW,
        CLAIM_NEWEST,
        "for place, one in enumerate(found) if one.state.repeats}",
        "for place, one in enumerate(found) if False}",
        UNIT,
    ),
    Guard(
        "replay: the status is always dispatched",
        STATUS_OF_NOW,
        SOURCE + "services/accept.py",
        'status=state.status or "dispatched", replayed=True',
        'status="dispatched", replayed=True',
        UNIT,
    ),
    Guard(
        "replay: the first slot expires before the slot of its repeat",
        ONE_EFFECT,
        SOURCE + "adapters/redis/requests/request_slots.py",
        "        if repeat_of is not None:\n",
        "        if False:\n",
        REDIS,
    ),
    Guard(
        "replay: a late status does not keep the first slot (write_status.lua)",
        ONE_EFFECT,
        LUA + "requests/write_status.lua",
        "return redis.call('HGET', KEYS[1], 'repeat_of')",
        "return false",
        REDIS,
    ),
    Guard(
        "replay: a queue message of an ended request is sent again",
        API_ALONE,
        SOURCE + "services/call_stripe.py",
        "    if state.final:\n",
        "    if state.final and not state.may_be_repeated:\n",
        (*UNIT, *REDIS, "tests/unit/services/test_call_stripe.py"),
    ),
    Guard(
        "status: the index keeps no settled outcome (publish.lua)",
        STATUS_FOLLOWS,
        LUA + "streams/publish.lua",
        "  redis.call('HSET', KEYS[5], ARGV[5], ARGV[3])\n",
        "  redis.call(ARGV[1] == 'unknown' and 'HSET' or 'HDEL', KEYS[5], ARGV[5], ARGV[3])\n",
        INDEX,
    ),
    Guard(
        "status: the index keeps no settled outcome (twin)",
        STATUS_FOLLOWS,
        SOURCE + "testing/memory_outcomes.py",
        "        if not settled or key in self.unknown:\n            self.unknown[key] = entry\n",
        "        self.unknown.pop(key, None)\n        if not settled:\n            self.unknown[key] = entry\n",
        (*RECONCILE, *INDEX),
    ),
    Guard(
        "status: reconcile drops a settled outcome without its status",
        STATUS_FOLLOWS,
        SOURCE + "services/looks/settle.py",
        "    await ports.requests.write_status(unknown.entry)\n",
        "",
        RECONCILE,
    ),
    Guard(
        "status: an operator's word replaces a settled outcome (replace_unknown.lua)",
        STATUS_FOLLOWS,
        LUA + "requests/replace_unknown.lua",
        "if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[3] then",
        "if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then",
        INDEX,
    ),
)
