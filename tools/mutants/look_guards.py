"""The guards of looks: before an unknown outcome is published, and of the passes that follow."""

from __future__ import annotations

from guard import SOURCE, Guard

LOOK_FIRST = SOURCE + "services/calls/look_first.py"
LOOK_FIRST_TESTS = ("tests/unit/services/test_look_first.py",)

LOOK_GUARDS = (
    Guard(
        "look first: it looks with the key of another account",
        "After account_changed no look with the new key proves anything.",
        LOOK_FIRST,
        "unknown and sent and not changed and not",
        "unknown and sent and not",
        LOOK_FIRST_TESTS,
    ),
    Guard(
        "look first: it looks on the last receive",
        "A message on its last receive is reported without calling Stripe again, then parked.",
        LOOK_FIRST,
        " and not call.receive.last_receive",
        "",
        LOOK_FIRST_TESTS,
    ),
    Guard(
        "look first: an absence on two pages is a proof",
        "Only a look at the whole list proves an absence.",
        LOOK_FIRST,
        "decide(unknown, result, call.ports.clock.now_s()) if _shows(result) else None",
        "decide(unknown, result, call.ports.clock.now_s())",
        LOOK_FIRST_TESTS,
    ),
    Guard(
        "look first: it reads as many pages as the list has",
        "A request that ends in doubt costs two reads at most before its outcome is published.",
        LOOK_FIRST,
        ", most_reads=MOST_READS)",
        ")",
        LOOK_FIRST_TESTS,
    ),
    Guard(
        "look first: a copy without time goes round for ever",
        "A message ends after a bounded number of copies.",
        LOOK_FIRST,
        "        if progress.store_waits:  # this copy has waited before",
        "        if False:",
        LOOK_FIRST_TESTS,
    ),
)
