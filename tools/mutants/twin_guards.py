"""The guards of the twin's rules, each with the edit that breaks it and the sentence that it makes false."""

from __future__ import annotations

from guard import SOURCE, Guard

RULES = SOURCE + "twin/rules/"
OPERATIONS = SOURCE + "twin/creates.py"

REFUNDS = "Refunds never return more than was paid."
AS_STRIPE = "The twin refuses what Stripe refuses."

ONCE = "A payment happens once."

LIFE_CYCLES = SOURCE + "twin/life_cycles/"
LIFE_TESTS = ("tests/unit/twin/life_cycles",)
RULE_TESTS = ("tests/unit/twin/rules",)

TWIN_GUARDS = (
    Guard(
        "twin: a refund may be larger than the rest",
        REFUNDS,
        RULES + "refunds.py",
        "if amount > payment.left:",
        "if amount > payment.paid:",
        RULE_TESTS,
    ),
    Guard(
        "twin: a refund without an amount returns the whole payment again",
        REFUNDS,
        SOURCE + "twin/objects/payments.py",
        "max(payment.left, 0) if amount",
        "payment.paid if amount",
        RULE_TESTS,
    ),
    Guard(
        "twin: refunds by the charge do not count",
        REFUNDS,
        SOURCE + "twin/objects/payments.py",
        '"charge": payment.charge,',
        '"charge": None,',
        RULE_TESTS,
    ),
    Guard(
        "twin: a payment that has not succeeded can be refunded",
        REFUNDS,
        SOURCE + "twin/objects/payments.py",
        'return int(self.intent["amount_received"]) if self.intent["status"] == "succeeded" else 0',
        'return int(self.intent["amount"])',
        RULE_TESTS,
    ),
    Guard(
        "twin: the rules of Stripe are not checked",
        AS_STRIPE,
        OPERATIONS,
        "            check_rules(kind, Situation(params, objects, now, version))\n",
        "",
        RULE_TESTS,
    ),
    Guard(
        "twin: a confirmation that may redirect needs no return_url",
        AS_STRIPE,
        RULES + "confirmation.py",
        "    if _may_redirect(create):",
        "    if False:",
        RULE_TESTS,
    ),
    Guard(
        "twin: an attached payment method counts as the default",
        AS_STRIPE,
        RULES + "subscriptions.py",
        'settings.get("default_payment_method") or customer.get("default_source")',
        "customer",
        RULE_TESTS,
    ),
    Guard(
        "twin: a time in milliseconds is in the future",
        AS_STRIPE,
        RULES + "times.py",
        "    if time > LAST_S:",
        "    if False:",
        RULE_TESTS,
    ),
    Guard(
        "twin: the smallest charge itself is refused",
        AS_STRIPE,
        RULES + "amounts.py",
        "if amount < smallest_charge(currency):",
        "if amount <= smallest_charge(currency):",
        RULE_TESTS,
    ),
    Guard(
        "twin: the twin of the local stack is lenient",
        "`paydispatch local` refuses what Stripe refuses, unless it is told otherwise.",
        SOURCE + "local/programs.py",
        '"--lenient" if settings.lenient else "--strict"',
        '"--lenient"',
        ("tests/unit/local/test_programs.py",),
    ),
    Guard(
        "twin: more than the authorized amount can be captured",
        ONCE,
        LIFE_CYCLES + "payment_intents.py",
        'if amount > intent["amount_capturable"]:',
        "if False:",
        LIFE_TESTS,
    ),
    Guard(
        "twin: a payment that has succeeded can be canceled",
        ONCE,
        LIFE_CYCLES + "payment_intents.py",
        '    _require(intent, CANCELABLE, "You cannot cancel this PaymentIntent", "canceled")\n',
        "",
        LIFE_TESTS,
    ),
    Guard(
        "twin: an invoice can be paid twice",
        ONCE,
        LIFE_CYCLES + "invoices.py",
        '    elif invoice["status"] == "paid":\n        raise invalid_request("Invoice is already paid")\n',
        "",
        LIFE_TESTS,
    ),
    Guard(
        "twin: a delete is answered again under its key",
        "Stripe ignores the key of a DELETE.",
        SOURCE + "twin/wire/requests.py",
        'call.headers.get("idempotency-key") if call.method == "POST" else None',
        'call.headers.get("idempotency-key")',
        ("tests/unit/twin/test_writes.py",),
    ),
    Guard(
        "twin: a strict twin makes up the object of a path",
        AS_STRIPE,
        SOURCE + "twin/targets.py",
        "        if self._strict:\n            raise _missing(named)\n",
        "",
        ("tests/unit/twin/test_every_operation.py",),
    ),
    Guard(
        "twin: an act is not in the ledger",
        "The ledger counts each write once.",
        SOURCE + "twin/writes.py",
        "        record(answer)\n",
        "",
        ("tests/unit/twin/test_every_operation.py",),
    ),
)
