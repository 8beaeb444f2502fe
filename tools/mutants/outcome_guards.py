"""Guards of programs that wait for an outcome: it is their own, it is settled, and no wait loses a request."""

from __future__ import annotations

from guard import SOURCE, Guard

API = ("tests/unit/handlers/test_api_waits.py",)
SDK = ("tests/unit/sdk/test_outcomes.py",)

WAITER = SOURCE + "services/wait_for_outcome.py"
ANSWERS = SOURCE + "handlers/api/answers.py"
OUTCOME = SOURCE + "sdk/outcome.py"

OWN_OUTCOME = "Nobody who waits gets the outcome of another request."
SETTLED = "An answer says that a request is settled only if it is."
STAYS_ACCEPTED = "A wait never turns an accepted request into a refused one."

OUTCOME_GUARDS = (
    Guard(
        "wait: the fingerprint is not compared (API)",
        OWN_OUTCOME,
        WAITER,
        "        if record is not None and fingerprint not in (None, record.fingerprint):\n",
        "        if record is None and fingerprint == 0:\n",
        API,
    ),
    Guard(
        "wait: worker, context and operation are not compared (SDK)",
        OWN_OUTCOME,
        OUTCOME,
        "    if told != (receipt.operation, receipt.worker_id, receipt.context_id):\n",
        "    if not told:\n",
        SDK,
    ),
    Guard(
        "wait: an API that does not confirm the fingerprint is believed (SDK)",
        OWN_OUTCOME,
        OUTCOME,
        '    if receipt.fingerprint is not None and status.get("fingerprint") != receipt.fingerprint:\n',
        "    if not told:\n",
        SDK,
    ),
    Guard(
        "wait: an unknown outcome is answered as settled (API)",
        SETTLED,
        ANSWERS,
        "    if record.status not in FINAL_STATUSES:\n",
        '    if record.status not in {*FINAL_STATUSES, "unknown"}:\n',
        API,
    ),
    Guard(
        "wait: an unknown outcome ends the wait (SDK)",
        SETTLED,
        OUTCOME,
        '        return self._has("succeeded", "failed") or self._left_s() <= 0\n',
        '        return self._has("succeeded", "failed", "unknown") or self._left_s() <= 0\n',
        SDK,
    ),
    Guard(
        "wait: a Redis that goes away refuses an accepted request (API)",
        STAYS_ACCEPTED,
        WAITER,
        "        except Unavailable:\n            return None\n",
        "        except Unavailable:\n            raise\n",
        API,
    ),
)
