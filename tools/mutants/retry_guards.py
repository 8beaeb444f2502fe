"""Guards of the retries of flows: none is lost, none is without end, and none holds up another."""

from __future__ import annotations

from flow_guards import REDIS_INBOX, RUN_TURN
from guard import LUA, SOURCE, Guard

RETRIES = ("tests/unit/services/test_retries_of_flows.py",)
RETRY_VALUES = ("tests/unit/domain/test_flow_retry.py",)
INBOXES = ("tests/integration/adapters/test_flow_inbox.py",)
REDIS_INBOX_TESTS = ("tests/integration/adapters/test_redis_inbox.py",)

BOUNDED_KILLS = (
    "A script that kills its workers is given up long before it has killed them for hours."
)
LASTING = "A flow whose database is away runs again for hours."
NOTHING_HIDDEN = "However many entries wait for their retry, due and abandoned ones are found."
OWN_RETRY = "A script's own RETRY counts."

RETRY_GUARDS = (
    Guard(
        "retry: a failed run counts as a killed one (postpone.lua)",
        LASTING,
        LUA + "streams/postpone.lua",
        "if ARGV[4] == 'failed' then",
        "if false then",
        INBOXES,
    ),
    Guard(
        "retry: a failed run counts as a killed one (take_turns.lua)",
        LASTING,
        LUA + "streams/take_turns.lua",
        "  failed[entry] = runs[entry] > 1 and",
        "  failed[entry] = false and",
        INBOXES,
    ),
    Guard(
        "retry: a failed run counts as a killed one (finish_turns.lua)",
        LASTING,
        LUA + "streams/finish_turns.lua",
        "  local failed = run > 1 and",
        "  local failed = false and",
        INBOXES,
    ),
    Guard(
        "retry: killed runs have no bound of their own",
        BOUNDED_KILLS,
        RUN_TURN,
        "        if turn.killed >= min(policy.most_killed, policy.retry.attempts):",
        "        if False:",
        RETRIES,
    ),
    Guard(
        "retry: a last run that was killed is repeated",
        BOUNDED_KILLS,
        RUN_TURN,
        "            if turn.attempt > self._retry.attempts:",
        "            if False:",
        RETRIES,
    ),
    Guard(
        "retry: the script's own is not asked",
        OWN_RETRY,
        RUN_TURN,
        "self._ports.scripts.retry_of(self._script) or self._policy.retry",
        "self._policy.retry",
        RETRIES,
    ),
    Guard(
        "retry: the waits have no jitter",
        "Flows that failed together do not run again together.",
        SOURCE + "domain/flow_retry.py",
        "(LEAST_PART + (1 - LEAST_PART) * fraction)",
        "(LEAST_PART + (1 - LEAST_PART))",
        RETRIES,
    ),
    Guard(
        "retry: the waits double without end",
        LASTING,
        SOURCE + "domain/flow_retry.py",
        "        return min(self.longest_s, self.first_s * 2.0 ** min(run - 1, 32))",
        "        return self.first_s * 2.0 ** min(run - 1, 32)",
        RETRY_VALUES,
    ),
    Guard(
        "retry: postponed entries hide an abandoned one",
        NOTHING_HIDDEN,
        LUA + "streams/find_idle.lua",
        "  if not redis.call('ZSCORE', KEYS[2], entry[1]) then",
        "  if true then",
        REDIS_INBOX_TESTS,
    ),
    Guard(
        "retry: entries that may not run yet take the places of due ones",
        NOTHING_HIDDEN,
        REDIS_INBOX,
        "            if left := at_most - len(turns):",
        "            if not turns and (left := at_most - len(turns)):",
        REDIS_INBOX_TESTS,
    ),
)
