"""The guards of the operator's commands that run in a function."""

from __future__ import annotations

from guard import SOURCE, Guard

EXACTLY = "A command does what the operator wrote, and not less careful work."
KEYLESS = "The answer of the operator's function and its log hold no key."
RUNS = "A command in several runs does what it does in one, and ends."
HANDLER_TESTS = ("tests/unit/handlers/test_operators.py",)
RUN_TESTS = ("tests/unit/services/test_operate_runs.py",)

OPERATOR_GUARDS: tuple[Guard, ...] = (
    Guard(
        "operator: an argument that nobody knows is ignored",
        EXACTLY,
        SOURCE + "services/operate/arguments.py",
        "            if name not in self._asked:",
        "            if False:",
        HANDLER_TESTS,
    ),
    Guard(
        "operator: the answer shows keys",
        KEYLESS,
        SOURCE + "handlers/operators.py",
        '        return {"document": _fitting(redact_json(document))}',
        '        return {"document": _fitting(document)}',
        HANDLER_TESTS,
    ),
    Guard(
        "operator: the text of an unexpected error is answered",
        KEYLESS,
        SOURCE + "handlers/operators.py",
        "        except Exception as error:",
        "        except LookupError as error:",
        HANDLER_TESTS,
    ),
    Guard(
        "operator: a later run of a redrive sends a request back that an earlier one sent",
        RUNS,
        SOURCE + "services/redrive.py",
        "            state.seen.add(identity)\n",
        "            pass\n",
        RUN_TESTS,
    ),
    Guard(
        "operator: a later run works on the same messages again",
        RUNS,
        SOURCE + "services/redrive.py",
        "                    if not is_over() and parked.message_id not in walk.seen:",
        "                    if not is_over():",
        RUN_TESTS,
    ),
    Guard(
        "operator: a run that came no further goes on for ever",
        RUNS,
        SOURCE + "services/operate/dead_letters.py",
        "    if ports.slice is None or not (walk.may_be_more and walk.examined and left):",
        "    if ports.slice is None or not (walk.may_be_more and left):",
        RUN_TESTS,
    ),
    Guard(
        "console: an unexpected fault is shown with its text",
        "The console and its log hold no key.",
        SOURCE + "console/guard.py",
        "redact(traceback.format_exc())",
        "traceback.format_exc()",
        ("tests/unit/console/test_guard.py",),
    ),
    Guard(
        "forget: a dead letter that no caller began is erased without a flow",
        "An erasure loses the outcome of no payment.",
        SOURCE + "services/forget.py",
        "return found.erased > 0 or (parked.reason == NOT_ACCEPTED and not found.left)",
        "return not found.left",
        ("tests/unit/services/test_forget.py",),
    ),
    Guard(
        "forget: the principal of an open request was not proven, and its dead letter is erased",
        "An erasure loses the outcome of no payment.",
        SOURCE + "services/forget.py",
        "(parked.reason == NOT_ACCEPTED and not found.left)",
        "parked.reason == NOT_ACCEPTED",
        ("tests/unit/services/test_forget.py",),
    ),
)
