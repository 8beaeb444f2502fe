"""The guards of the rate limits: without them Stripe refuses calls, or calls go that an operator stopped."""

from __future__ import annotations

from guard import LUA, SOURCE, Guard

LIMITS = "No second has more calls than Stripe's two limits allow."
ONCE = "The 429s of one moment shrink a limit once."
VOID = "A call that waited goes only if its tokens still count."
SHARE = "Batch work leaves a part of every limit to interactive work."
PAUSE = "A pause stops calls within a second, also those that wait."
KEY = "A refused key is tried by single probes at growing intervals."

UNIT = ("tests/unit/domain/test_account_limits.py",)
ADAPTERS = ("tests/integration/adapters/test_limiters.py",)
REDIS = ("tests/integration/adapters/test_redis_limiter.py",)
KEYS = ("tests/integration/adapters/test_key_breakers.py",)
ACCOUNT = SOURCE + "domain/rates/account_limits.py"
CALENDAR = SOURCE + "domain/rates/calendar.py"
LIMITER = SOURCE + "adapters/redis/rates/limiter.py"
TAKE = LUA + "rates/take.lua"

RATE_GUARDS: tuple[Guard, ...] = (
    Guard(
        "rates: a 429 of an old epoch shrinks again",
        ONCE,
        ACCOUNT,
        "        if granted.epoch != str(self.epoch):",
        "        if False:",
        UNIT,
    ),
    Guard(
        "rates in Redis: a 429 of an old epoch shrinks again",
        ONCE,
        LUA + "rates/report.lua",
        "feedback ~= 'fine' and epoch == string.format('%.0f', account.epoch)",
        "feedback ~= 'fine'",
        ADAPTERS,
    ),
    Guard(
        "rates: no call confirms after a wait",
        VOID,
        SOURCE + "domain/rates/tokens.py",
        "        return self.wait_s > CONFIRM_AFTER_S",
        "        return False",
        UNIT,
    ),
    Guard(
        "rates: void tokens are confirmed",
        VOID,
        ACCOUNT,
        "        stands = granted.epoch == str(self.epoch) and granted.ask.lane",
        "        stands = granted.ask.lane",
        UNIT,
    ),
    Guard(
        "rates in Redis: void tokens are confirmed",
        VOID,
        LIMITER,
        "        return [granted.epoch == epoch and granted.ask.lane",
        "        return [granted.ask.lane",
        ADAPTERS,
    ),
    Guard(
        "rates in Redis: a lost state has the epoch of the one before",
        VOID,
        LUA + "rates/limits.lua",
        "cmsgpack.unpack(text) or {micros(now), now, 0, 0, 0}",
        "cmsgpack.unpack(text) or {1, now, 0, 0, 0}",
        REDIS,
    ),
    Guard(
        "rates: only the limit of the operation counts",
        LIMITS,
        ACCOUNT,
        "        found = []\n        for name in (ALL, operation):",
        "        found = []\n        for name in (operation,):",
        UNIT,
    ),
    Guard(
        "rates in Redis: only the limit of the operation counts",
        LIMITS,
        TAKE,
        "in ipairs({'', operation}) do",
        "in ipairs({operation}) do",
        ADAPTERS,
    ),
    Guard(
        "rates: a shrink forgets the calls that go without asking again",
        LIMITS,
        ACCOUNT,
        "            state.calendar.keep_slots(now, now + 1)",
        "            state.calendar.keep_slots(now, now - 1)",
        UNIT,
    ),
    Guard(
        "rates: a new state gives all at once",
        LIMITS,
        CALENDAR,
        "        return full if slot > self.scarce_until or full < 2 else full // 2",
        "        return full",
        UNIT,
    ),
    Guard(
        "rates: batch work uses the whole limit",
        SHARE,
        CALENDAR,
        "        return min(in_all, *in_lanes)",
        "        return min(in_all, *[in_all for _ in in_lanes])",
        UNIT,
    ),
    Guard(
        "rates in Redis: batch work uses the whole limit",
        SHARE,
        TAKE,
        "      free = free and min(free, left) or left",
        "      free = capacity(limit.rate, slot)",
        ADAPTERS,
    ),
    Guard(
        "rates: a pause lets the calls go that wait",
        PAUSE,
        ACCOUNT,
        "== str(self.epoch) and granted.ask.lane not in self.paused",
        "== str(self.epoch)",
        UNIT,
    ),
    Guard(
        "rates in Redis: a pause of an account lets the calls go that wait",
        PAUSE,
        LIMITER,
        "granted.epoch == epoch and granted.ask.lane not in paused for",
        "granted.epoch == epoch for",
        ADAPTERS,
    ),
    Guard(
        "rates in Redis: a pause of all accounts lets the calls go that wait",
        PAUSE,
        LIMITER,
        "        if granted.ask.lane not in paused and await",
        "        if await",
        ADAPTERS,
    ),
    Guard(
        "rates: each refusal of a key extends its interval",
        KEY,
        SOURCE + "domain/rates/key_breaker.py",
        "        if self.probing:",
        "        if True:",
        KEYS,
    ),
    Guard(
        "rates in Redis: each refusal of a key extends its interval",
        KEY,
        LUA + "rates/open_key.lua",
        "if not text or probing == '1' then",
        "if true then",
        KEYS,
    ),
)
