"""The guards of the twin's expansions and of the objects that follow from a create."""

from __future__ import annotations

from guard import SOURCE, Guard

EXPANDS = "The twin expands the fields that Stripe's answers of today have, and refuses all others."
REAL = "An id in an answer of the twin can be fetched, and the object agrees with the answer."
EXPAND_TESTS = ("tests/unit/twin/test_expand_paths.py",)
DERIVED_TESTS = ("tests/unit/twin/test_derived.py",)
EXPAND_PATHS = SOURCE + "twin/wire/expand_paths.py"

DERIVED_GUARDS: tuple[Guard, ...] = (
    Guard(
        "twin: a step below the first one is not checked",
        EXPANDS,
        EXPAND_PATHS,
        "        if not values:\n",
        "        if not values and number == 0:\n",
        EXPAND_TESTS,
    ),
    Guard(
        "twin: the data of a list is no level",
        EXPANDS,
        EXPAND_PATHS,
        '        if path.count(".") >= DEEPEST:',
        '        if path.removeprefix("data.").count(".") >= DEEPEST:',
        EXPAND_TESTS,
    ),
    Guard(
        "twin: a field on request is always shown",
        REAL,
        SOURCE + "twin/wire/expansion.py",
        '    hidden = (fields_on_request(stripe_object["object"]) - tree.keys()) & stripe_object.keys()',
        "    hidden: set[str] = set()",
        DERIVED_TESTS,
    ),
    Guard(
        "twin: an id of another kind has no stand-in",
        REAL,
        SOURCE + "twin/derived/stand_ins.py",
        "        if kind is not None and object_id not in known and context.find(object_id) is None:",
        "        if False:",
        DERIVED_TESTS,
    ),
    Guard(
        "twin: an incomplete subscription pays its first invoice",
        REAL,
        SOURCE + "twin/derived/subscriptions.py",
        '    waits = subscription["status"] == "incomplete"',
        "    waits = False",
        DERIVED_TESTS,
    ),
    Guard(
        "twin: a card of another customer can be fetched",
        REAL,
        SOURCE + "twin/reads.py",
        "            if found and belongs_to(found, owners):",
        "            if found:",
        DERIVED_TESTS,
    ),
)
