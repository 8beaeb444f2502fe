"""Guards of dead flows that run again: none is lost, none runs twice by one command, and none does harm."""

from __future__ import annotations

from guard import LUA, SOURCE, Guard

RERUN = LUA + "streams/rerun.lua"
DEAD_FLOWS = SOURCE + "services/dead_flows.py"
DOMAIN = SOURCE + "domain/operators/dead_flows.py"
STREAMS = ("tests/integration/adapters/test_dead_streams.py",)
SERVICE = ("tests/unit/services/test_dead_flows.py",)
RUNS = ("tests/unit/services/test_operate_runs.py",)

ATOMIC = "A dead flow that runs again is on its stream once, and no longer on the dead stream."
IN_ORDER = "A dead flow runs as the last of its context."
HARMLESS = "No dead flow runs again that could do harm."

RERUN_GUARDS = (
    Guard(
        "rerun: the entry stays on the dead stream",
        ATOMIC,
        RERUN,
        "redis.call('XDEL', KEYS[1], ARGV[1])",
        "",
        STREAMS,
    ),
    Guard(
        "rerun: the entry is not put back on its stream",
        ATOMIC,
        RERUN,
        "redis.call('XADD', KEYS[2], '*', 'entry', fields['entry'])",
        "ARGV[1]",
        STREAMS,
    ),
    Guard(
        "rerun: a second call says that the entry is gone",
        ATOMIC,
        RERUN,
        "return string.find(ended, '^rerun ') and 'moved' or 'gone'",
        "return 'gone'",
        STREAMS,
    ),
    Guard(
        "rerun: the entry passes the others of its context",
        IN_ORDER,
        RERUN,
        "redis.call('RPUSH', KEYS[3], id)",
        "redis.call('LPUSH', KEYS[3], id)",
        STREAMS,
    ),
    Guard(
        "rerun: the worker is not noted for the sweep",
        ATOMIC,
        SOURCE + "adapters/redis/streams/dead_streams.py",
        "            for note in outcome_notes(worker_slot):",
        "            for note in ():",
        STREAMS,
    ),
    Guard(
        "rerun: an unknown outcome is told after the settled one",
        HARMLESS,
        RERUN,
        "if ARGV[2] == '1' and string.find(",
        "if false and string.find(",
        STREAMS,
    ),
    Guard(
        "rerun: a flow runs whose requests are not remembered",
        HARMLESS,
        DOMAIN,
        "    if now_s >= dead.entry.settled_at + RERUN_WITHIN_S:",
        "    if False:",
        SERVICE,
    ),
    Guard(
        "rerun: a script hears that a response failed which runs again",
        HARMLESS,
        DEAD_FLOWS,
        "    return RESPONSE_RUNS_AGAIN if follows_failed_response(dead) else None",
        "    return None",
        SERVICE,
    ),
    Guard(
        "rerun: a script hears that a response failed which ran again before",
        HARMLESS,
        SOURCE + "adapters/redis/streams/dead_streams.py",
        'response_reran=end.startswith("rerun "),',
        "response_reran=False,",
        STREAMS,
    ),
    Guard(
        "rerun: a later run forgets which responses run again",
        HARMLESS,
        SOURCE + "services/operate/dead_flows.py",
        '"rerun": sorted(walk.rerun)',
        '"rerun": []',
        RUNS,
    ),
    Guard(
        "rerun: a flow that dies again at once is moved for ever",
        ATOMIC,
        DEAD_FLOWS,
        "        until_s = self.clock.now_s() if walk.until_s is None else walk.until_s",
        "        until_s = 9e12",
        SERVICE,
    ),
)
