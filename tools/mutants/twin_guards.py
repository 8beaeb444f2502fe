"""The guards of the twin's rules, each with the edit that breaks it and the sentence that it makes false."""

from __future__ import annotations

from guard import SOURCE, Guard

RULES = SOURCE + "twin/rules/"
OPERATIONS = SOURCE + "twin/creates.py"

REFUNDS = "Refunds never return more than was paid."
AS_STRIPE = "The twin refuses what Stripe refuses."

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
)
