"""The guards of operations that are no creates: their repeats, their proof, and their words."""

from __future__ import annotations

from guard import LUA, SOURCE, Guard

WIRE = ("tests/integration/adapters/test_stripe_http.py",)
SENDS = ("tests/integration/adapters/test_slot_sends.py",)
TABLES = ("tests/unit/domain/test_proofs.py",)
RETRY = ("tests/unit/domain/test_retry_of_operations.py",)
STATES = ("tests/unit/domain/test_object_states.py",)
CALLS = ("tests/unit/services/test_call_operations.py",)
LOOKS = ("tests/unit/services/test_reconcile_operations.py",)
RECONCILES = ("tests/unit/services/test_reconcile.py",)
REDRIVES = ("tests/unit/domain/test_redrive.py",)
ENVELOPES = ("tests/unit/domain/test_envelope.py",)

RETRY_RULES = SOURCE + "domain/retry.py"
OBJECT_STATES = SOURCE + "domain/operators/object_states.py"

NO_OTHER_OBJECT = "No repeated DELETE acts on another object than the first one."
SHOWN_EFFECT = (
    "A 404 stands for an answer only if it shows the effect of an attempt with a lost answer."
)
OWN_OBJECT = "A look settles only with the operation's own object, in the account of its sends."
MARK_STAYS = "No operation on an object replaces the mark of its create."
MARK_MISSED = "An absence proves nothing if an operation may have removed the mark."
OWN_WORD = (
    "A certain error says `not_created` for creates, and `not_executed` for other operations."
)
FITS = "A message is sent only if its object and path fit its operation."

REPEAT_GUARDS: tuple[Guard, ...] = (
    Guard(
        "repeats: the transport sends a DELETE once more by itself",
        SHOWN_EFFECT,
        SOURCE + "adapters/stripe/client.py",
        "        session._retry_connection = False  # noqa: SLF001\n",
        "",
        WIRE,
    ),
    Guard(
        "repeats: a 404 stands for the invoice of a cancellation",
        SHOWN_EFFECT,
        SOURCE + "domain/stripe/repeats.py",
        " and not _asks_for_more(operation, params)",
        "",
        (*TABLES, *RETRY),
    ),
    Guard(
        "repeats: a DELETE of a place is retried after a lost answer",
        NO_OTHER_OBJECT,
        RETRY_RULES,
        "    return not (repeats.rule is Repeat.UNTIL_DOUBT and latched.maybe_executed)",
        "    return True",
        RETRY,
    ),
    Guard(
        "repeats: a DELETE of a place is sent by a later receive",
        NO_OTHER_OBJECT,
        RETRY_RULES,
        "    if rule is Repeat.UNTIL_DOUBT and progress.maybe_executed:",
        "    if False:",
        RETRY,
    ),
    Guard(
        "repeats: the slot opens a second send of a DELETE of a place",
        NO_OTHER_OBJECT,
        LUA + "requests/send.lua",
        "if ARGV[11] == 'until_doubt' and",
        "if false and",
        SENDS,
    ),
    Guard(
        "repeats: the slot opens a second send of a DELETE of a place (twin)",
        NO_OTHER_OBJECT,
        SOURCE + "testing/memory_requests.py",
        "    if send.rule is Repeat.UNTIL_DOUBT and slot.is_in_doubt_besides(send.token):",
        "    if False:",
        CALLS,
    ),
    Guard(
        "repeats: a DELETE is sent after its unknown outcome was told",
        NO_OTHER_OBJECT,
        SOURCE + "adapters/redis/requests/request_slots.py",
        '        if word == "go" and send.rule is not Repeat.KEYED and mark:',
        "        if False:",
        SENDS,
    ),
    Guard(
        "repeats: a DELETE is sent after its unknown outcome was told (twin)",
        NO_OTHER_OBJECT,
        SOURCE + "testing/memory_requests.py",
        "        if refusal is None and mark and send.rule is not Repeat.KEYED:",
        "        if False:",
        CALLS,
    ),
    Guard(
        "repeats: a redrive sends a DELETE again",
        NO_OTHER_OBJECT,
        SOURCE + "domain/operators/redrive.py",
        "    return progress.first_sent_at is None and not progress.maybe_executed",
        "    return True",
        REDRIVES,
    ),
    Guard(
        "repeats: a DELETE of a place counts as a DELETE of an id",
        NO_OTHER_OBJECT,
        SOURCE + "domain/stripe/repeats.py",
        '    return operation.path.endswith("}")',
        "    return True",
        TABLES,
    ),
    Guard(
        "404: it stands for an answer although none was lost",
        SHOWN_EFFECT,
        RETRY_RULES,
        "        progress.maybe_executed\n        and isinstance(attempt, RefusedInFront)",
        "        isinstance(attempt, RefusedInFront)",
        RETRY,
    ),
    Guard(
        "404: one about a parameter shows the effect",
        SHOWN_EFFECT,
        RETRY_RULES,
        '        and str(attempt.error.get("param")) not in repeats.sent\n',
        "",
        RETRY,
    ),
    Guard(
        "latch: a refused repeat of a DELETE clears it",
        SHOWN_EFFECT,
        RETRY_RULES,
        "maybe_executed=progress.maybe_executed and not keyed",
        "maybe_executed=False",
        RETRY,
    ),
    Guard(
        "proof: the state of another object counts",
        OWN_OBJECT,
        OBJECT_STATES,
        '    if body.get("id") != own_id or rule.field not in body:',
        "    if rule.field not in body:",
        STATES,
    ),
    Guard(
        "proof: the absence of another object counts",
        OWN_OBJECT,
        OBJECT_STATES,
        '    if body.get("id") != ids[operation.path_names[-1]]:',
        "    if False:",
        STATES,
    ),
    Guard(
        "proof: an object that was made anew shows that the old one was not deleted",
        OWN_OBJECT,
        OBJECT_STATES,
        '    if may_be_made_anew(operation) and not _is_before(body.get("created"), first_sent_at):',
        "    if False:",
        STATES,
    ),
    Guard(
        "proof: the id of a product counts as one that Stripe chose",
        OWN_OBJECT,
        SOURCE + "domain/stripe/repeats.py",
        'CHOSEN_IDS = frozenset({"coupon", "plan", "product"})',
        'CHOSEN_IDS = frozenset({"coupon", "plan"})',
        TABLES,
    ),
    Guard(
        "proof: a state counts that the operation may leave as it was",
        OWN_OBJECT,
        OBJECT_STATES,
        "    if blurring:",
        "    if False:",
        STATES,
    ),
    Guard(
        "proof: a state counts although an effect that was asked for is not shown",
        OWN_OBJECT,
        OBJECT_STATES,
        "    if more is not None:\n",
        "    if False:\n",
        STATES,
    ),
    Guard(
        "proof: a capture of another amount counts",
        OWN_OBJECT,
        OBJECT_STATES,
        "        if asked is not None and str(asked) != str(body.get(member)):",
        "        if False:",
        STATES,
    ),
    Guard(
        "proof: a review that a refund closed counts as approved",
        OWN_OBJECT,
        SOURCE + "domain/stripe/states.py",
        'StateRule(field="closed_reason", done=("approved",), undone=(None,))',
        'StateRule(field="open", done=(False,), undone=(True,))',
        STATES,
    ),
    Guard(
        "proof: a missing object counts in any account",
        OWN_OBJECT,
        SOURCE + "services/lookups/look_up.py",
        "    if unknown.account is None:  # in another",
        "    if False:  # in another",
        LOOKS,
    ),
    Guard(
        "proof: an object that an incomplete list lacks counts as not created",
        OWN_OBJECT,
        SOURCE + "services/lookups/absence.py",
        "    if not proof.complete:",
        "    if False:",
        LOOKS,
    ),
    Guard(
        "mark: an update carries it",
        MARK_STAYS,
        SOURCE + "services/call_stripe.py",
        "with_mark(params, envelope.request_id) if asked.operation.marked else params",
        "with_mark(params, envelope.request_id)",
        CALLS,
    ),
    Guard(
        "mark: an update that unsets it is not recorded",
        MARK_MISSED,
        SOURCE + "services/call_stripe.py",
        "    if unsets_metadata(asked.operation, call.envelope.sent_params):",
        "    if False:",
        CALLS,
    ),
    Guard(
        "mark: an absence counts although it may have been unset",
        MARK_MISSED,
        SOURCE + "services/lookups/absence.py",
        "    return found if too_early else Inconclusive(UNSET)",
        "    return found",
        RECONCILES,
    ),
    Guard(
        "word: every certain error says `not_created`",
        OWN_WORD,
        SOURCE + "domain/stripe/proofs.py",
        "    return Certainty.NOT_CREATED if creates else Certainty.NOT_EXECUTED",
        "    return Certainty.NOT_CREATED",
        TABLES,
    ),
    Guard(
        "operation: another object is taken",
        FITS,
        SOURCE + "domain/envelope.py",
        "    if envelope.object != operation.object:",
        "    if False:",
        ENVELOPES,
    ),
    Guard(
        "operation: the ids of its path are not checked",
        FITS,
        SOURCE + "domain/envelope.py",
        "    check_path_ids(operation, envelope.path)\n",
        "",
        ENVELOPES,
    ),
)
