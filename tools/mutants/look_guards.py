"""The guards of looks: before an unknown outcome is published, and of the passes that follow."""

from __future__ import annotations

from guard import SOURCE, Guard

LOOK_FIRST = SOURCE + "services/calls/look_first.py"
LOOK_FIRST_TESTS = ("tests/unit/services/test_look_first.py",)

READ_LIST = SOURCE + "services/looks/read_list.py"
RUN_PASS = SOURCE + "services/looks/run_pass.py"
OPEN_LIST = SOURCE + "services/looks/open_list.py"
CANDIDATES = SOURCE + "services/looks/candidates.py"
PASS_TESTS = ("tests/unit/services/test_run_look.py", "tests/unit/services/test_reconcile.py")

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
    Guard(
        "pass: the cursor is kept before its page was settled",
        "A pass that is cut off goes on behind a page whose requests are settled.",
        READ_LIST,
        "        await _settle_found(reading, page, on_found)\n"
        "        position.note(page, ports.clock.now_s())\n"
        "        if not await reading.keeper.keep(position):\n"
        "            return None\n",
        "        position.note(page, ports.clock.now_s())\n"
        "        if not await reading.keeper.keep(position):\n"
        "            return None\n"
        "        await _settle_found(reading, page, on_found)\n",
        PASS_TESTS,
    ),
    Guard(
        "pass: it goes on after another look has the lease",
        "One look at a time reads the list of a place.",
        READ_LIST,
        "        if not await reading.keeper.keep(position):",
        "        if not await reading.keeper.keep(position) and False:",
        PASS_TESTS,
    ),
    Guard(
        "pass: it goes on with doubts that it did not begin with",
        "Only a look at the whole list proves an absence.",
        SOURCE + "services/looks/run_look.py",
        "        if keeper.goes_on:",
        "        if False:",
        PASS_TESTS,
    ),
    Guard(
        "pass: a list that was not read to its end proves an absence",
        "Only a look at the whole list proves an absence.",
        RUN_PASS,
        "        if why is None and not reading.ended:",
        "        if False:",
        PASS_TESTS,
    ),
    Guard(
        "pass: a list without has_more counts as complete",
        "Only a look at the whole list proves an absence.",
        READ_LIST,
        "    return page if says else Inconclusive(NO_END)",
        "    return page",
        PASS_TESTS,
    ),
    Guard(
        "pass: the new part of a list proves an absence",
        "Only a look at the whole list proves an absence.",
        CANDIDATES,
        "    seen = 0.0 if whole else seen_until",
        "    seen = seen_until",
        PASS_TESTS,
    ),
    Guard(
        "pass: the list of another account proves an absence",
        "A look proves something only in the account that the request was sent to.",
        OPEN_LIST,
        "(mine if _reads_for(access, candidate) else others)",
        "mine",
        PASS_TESTS,
    ),
    Guard(
        "pass: the key of one tenant reads for another",
        "A key serves only the tenant that it belongs to.",
        CANDIDATES,
        'ListKey(entry.tenant or "", ',
        'ListKey("", ',
        PASS_TESTS,
    ),
)
